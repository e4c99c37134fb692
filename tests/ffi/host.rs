//! Watches a print through libloading: host LIBRARY HEADER ENDPOINT FRAMES_DIR
#![cfg_attr(rustfmt, rustfmt_skip)] #![allow(clippy::print_stdout, clippy::undocumented_unsafe_blocks, reason = "a program as short as can be")]
use std::{env, error::Error, ffi::{CStr, CString, c_char, c_void}, fs, mem::zeroed, ptr::null_mut};
const OE_OK: i32 = 0; const OE_NEVER: u32 = 0xFFFF_FFFF;
const OE_EVENT_FRAME_WANTED: i32 = 1; const OE_EVENT_RESULT: i32 = 2; const OE_EVENT_WARNING: i32 = 3;
const OE_EVENT_PAUSE: i32 = 4; const OE_EVENT_ERROR: i32 = 5;
type Handle = *mut c_void;
#[repr(C)] struct Event { struct_size: u32, kind: i32, tag: u64, status: i32, age_ms: u32 }
#[repr(C)] struct Verdict { struct_size: u32, quality: i32, score: i32 } // the others are not needed here
#[repr(C)] struct Failure { struct_size: u32, status: i32, http: i32, retry: u32, kind: [c_char; 64], text: [c_char; 256] }
fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().collect();
    let oe = unsafe { libloading::Library::new(&args[1])? }; // outlives every call below
    macro_rules! oe { ($name:ident($($type:ty),*) $(-> $result:ty)?; $($value:expr),*) => { unsafe {
        oe.get::<unsafe extern "C" fn($($type),*) $(-> $result)?>(stringify!($name))?($($value),*) } } }
    macro_rules! check { ($($call:tt)*) => { let status: i32 = oe!($($call)*); if status < OE_OK {
        let text = oe!(oe_status_text(i32) -> *const c_char; status);
        return Err(unsafe { CStr::from_ptr(text) }.to_str()?.into()); } } }
    let (options, mut client, mut monitor) = (oe!(oe_options_new() -> Handle;), null_mut(), null_mut());
    let (key, url) = (CString::new(env::var("OE_API_KEY")?)?, CString::new(&*args[3])?);
    check!(oe_options_set_api_key(Handle, *const c_char) -> i32; options, key.as_ptr());
    check!(oe_options_set_endpoint(Handle, *const c_char) -> i32; options, url.as_ptr());
    check!(oe_options_set_allow_http(Handle, i32) -> i32; options, 1); check!(oe_options_set_interval_sec(Handle, u32) -> i32; options, 5);
    check!(oe_client_new(Handle, *mut Handle) -> i32; options, &raw mut client);
    check!(oe_monitor_start(Handle, i32, i32, u64, *mut Handle) -> i32; client, 0, 0, 1, &raw mut monitor);
    let mut frames: Vec<_> = fs::read_dir(&args[4])?.flatten().map(|file| file.path()).collect(); frames.sort();
    let (mut e, mut v, mut f): (Event, Verdict, Failure) = unsafe { zeroed() }; e.struct_size = size_of::<Event>() as u32;
    (v.struct_size, f.struct_size) = (size_of::<Verdict>() as u32, size_of::<Failure>() as u32);
    while e.kind != OE_EVENT_PAUSE {
        check!(oe_client_next_event(Handle, u32, *mut Event, *mut Verdict, *mut Failure) -> i32;
            client, OE_NEVER, &raw mut e, &raw mut v, &raw mut f);
        match e.kind {
            OE_EVENT_FRAME_WANTED => { let jpeg = fs::read(&frames[0])?; frames.rotate_left(1);
                check!(oe_monitor_submit(Handle, *const u8, usize, i64) -> i32; monitor, jpeg.as_ptr(), jpeg.len(), 0); }
            OE_EVENT_RESULT => println!("quality {} score {}", v.quality, v.score),
            OE_EVENT_WARNING => println!("warning"),
            OE_EVENT_ERROR => println!("error: {}", unsafe { CStr::from_ptr(f.text.as_ptr()) }.to_string_lossy()),
            _ => (), } }
    println!("pause"); oe!(oe_monitor_free(Handle); monitor); oe!(oe_client_free(Handle); client); oe!(oe_options_free(Handle); options);
    Ok(()) }
