// Watches a print through P/Invoke: Watch.exe LIBRARY HEADER ENDPOINT FRAMES_DIR; the runtime finds oe_process itself
using System; using System.IO; using System.Runtime.InteropServices;
struct Event { public int StructSize, Kind; public ulong Tag; public int Status; public uint AgeMs; }
struct Result { public int StructSize, PrintQuality, Score; } // the others are not needed here
unsafe struct Error { public int StructSize, Status, Http, RetryAfterMs; public fixed byte Type[64]; public fixed byte Text[256]; }
static unsafe class Watch {
    const int OE_OK = 0, OE_EVENT_FRAME_WANTED = 1, OE_EVENT_RESULT = 2, OE_EVENT_WARNING = 3;
    const int OE_EVENT_PAUSE = 4, OE_EVENT_ERROR = 5; const uint OE_NEVER = 0xFFFFFFFF;
    const string Oe = "oe_process"; // cdecl is the default everywhere but on 32-bit Windows: say it there
    [DllImport(Oe)] static extern IntPtr oe_status_text(int status);
    [DllImport(Oe)] static extern IntPtr oe_options_new();
    [DllImport(Oe)] static extern int oe_options_set_api_key(IntPtr options, string key);
    [DllImport(Oe)] static extern int oe_options_set_endpoint(IntPtr options, string url);
    [DllImport(Oe)] static extern int oe_options_set_allow_http(IntPtr options, int allow);
    [DllImport(Oe)] static extern int oe_options_set_interval_sec(IntPtr options, uint sec);
    [DllImport(Oe)] static extern int oe_client_new(IntPtr options, out IntPtr client);
    [DllImport(Oe)] static extern int oe_client_next_event(IntPtr client, uint ms, Event* e, Result* r, Error* f);
    [DllImport(Oe)] static extern int oe_monitor_start(IntPtr client, int warning, int pause, ulong tag, out IntPtr monitor);
    [DllImport(Oe)] static extern int oe_monitor_submit(IntPtr monitor, byte[] jpeg, UIntPtr len, long captured);
    [DllImport(Oe)] static extern void oe_monitor_free(IntPtr monitor);
    [DllImport(Oe)] static extern void oe_client_free(IntPtr client);
    [DllImport(Oe)] static extern void oe_options_free(IntPtr options);
    static void Check(int s) { if (s < OE_OK) throw new Exception(Marshal.PtrToStringAnsi(oe_status_text(s))); }
    static void Main(string[] args) {
        IntPtr options = oe_options_new(), client, monitor; string[] frames = Directory.GetFiles(args[3], "*.jpg");
        Check(oe_options_set_api_key(options, Environment.GetEnvironmentVariable("OE_API_KEY")));
        Check(oe_options_set_endpoint(options, args[2])); Check(oe_options_set_allow_http(options, 1));
        Check(oe_options_set_interval_sec(options, 5)); Check(oe_client_new(options, out client));
        Check(oe_monitor_start(client, 0, 0, 1, out monitor)); Array.Sort(frames); int n = 0;
        Event e = new Event { StructSize = sizeof(Event) }; Result r = new Result { StructSize = sizeof(Result) };
        for (Error f = new Error { StructSize = sizeof(Error) }; e.Kind != OE_EVENT_PAUSE;) {
            Check(oe_client_next_event(client, OE_NEVER, &e, &r, &f));
            if (e.Kind == OE_EVENT_FRAME_WANTED) { byte[] jpeg = File.ReadAllBytes(frames[n++ % frames.Length]);
                Check(oe_monitor_submit(monitor, jpeg, (UIntPtr)jpeg.Length, 0)); }
            if (e.Kind == OE_EVENT_RESULT) Console.WriteLine("quality {0} score {1}", r.PrintQuality, r.Score);
            if (e.Kind == OE_EVENT_WARNING) Console.WriteLine("warning");
            if (e.Kind == OE_EVENT_ERROR) Console.WriteLine("error: " + Marshal.PtrToStringAnsi((IntPtr)f.Text)); }
        Console.WriteLine("pause"); oe_monitor_free(monitor); oe_client_free(client); oe_options_free(options); } }
