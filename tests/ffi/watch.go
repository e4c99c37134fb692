// Watches a print through cgo, which reads the header: watch LIBRARY HEADER ENDPOINT FRAMES_DIR
package main
// #include <oe_process.h>
import "C"
import "fmt"
import "os"
import "path/filepath"
func check(status C.oe_status) {
	if status < C.OE_OK { panic(C.GoString(C.oe_status_text(status))) }
}
func main() {
	client, monitor := (*C.oe_client)(nil), (*C.oe_monitor)(nil)
	options := C.oe_options_new()
	check(C.oe_options_set_api_key(options, C.CString(os.Getenv("OE_API_KEY"))))
	check(C.oe_options_set_endpoint(options, C.CString(os.Args[3])))
	check(C.oe_options_set_allow_http(options, 1))
	check(C.oe_options_set_interval_sec(options, 5))
	check(C.oe_client_new(options, &client))
	check(C.oe_monitor_start(client, 0, 0, 1, &monitor))
	event, result := C.oe_event{struct_size: C.sizeof_oe_event}, C.oe_result{struct_size: C.sizeof_oe_result}
	failure := C.oe_error{struct_size: C.sizeof_oe_error}
	frames, _ := filepath.Glob(filepath.Join(os.Args[4], "*.jpg"))
	for event.kind != C.OE_EVENT_PAUSE {
		check(C.oe_client_next_event(client, C.OE_NEVER, &event, &result, &failure))
		switch event.kind {
		case C.OE_EVENT_FRAME_WANTED:
			jpeg, err := os.ReadFile(frames[0])
			if err != nil { panic(err) }
			check(C.oe_monitor_submit(monitor, (*C.uint8_t)(&jpeg[0]), C.size_t(len(jpeg)), 0))
			frames = append(frames[1:], frames[0])
		case C.OE_EVENT_RESULT: fmt.Println("quality", result.print_quality, "score", result.score)
		case C.OE_EVENT_WARNING: fmt.Println("warning")
		case C.OE_EVENT_ERROR: fmt.Println("error:", C.GoString(&failure.text[0]))
		}
	}
	fmt.Println("pause")
	C.oe_monitor_free(monitor)
	C.oe_client_free(client)
	C.oe_options_free(options)
}
