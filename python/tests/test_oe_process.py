"""The installed package against a service: OE_TEST_ENDPOINT, with the verdicts good, good, warning, pause; OE_TEST_FRAME a picture."""
import array
import asyncio
import ctypes
import gc
import http.server
import json
import mmap
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import unittest
import unittest.mock
import zipfile

import oe_process
from oe_process import EventKind, LogLevel, Status, _client, _log, _native
from oe_process._buffer import held

ENDPOINT = os.environ["OE_TEST_ENDPOINT"]
FRAME = pathlib.Path(os.environ["OE_TEST_FRAME"]).read_bytes()
FRAMES = [path.read_bytes() for path in sorted(pathlib.Path(os.environ["OE_TEST_FRAME"]).parent.glob("frame-*.jpg"))]


def client(**more):
    return oe_process.Client(api_key="SECRETKEY", endpoint=ENDPOINT, allow_http=True, interval=5, **more)


class OneContext(unittest.TestCase):
    def test_a_verdict_and_what_follows(self):
        with client() as account, account.context(1, 5) as print_:
            self.assertEqual(print_.due_in, 0)
            result = print_.process(FRAME)
            self.assertEqual((result.print_quality, result.score, result.pause_edge), (9, 4, False))
            self.assertTrue(result.quality_text)
            with self.assertRaises(oe_process.NotDue) as early:
                print_.process(FRAME)
            self.assertEqual((early.exception.status, early.exception.retry_after), (Status.NOT_DUE, None))
            self.assertTrue(0 < print_.due_in <= result.next_due)
            self.assertEqual((print_.info.calls, print_.info.last_quality), (1, 9))
            saved = print_.save()
            self.assertNotIn("SECRETKEY", saved)
            with account.restore(saved) as again, self.assertRaises(oe_process.NotDue):
                again.process(FRAME)
            self.assertEqual((account.usage.processed, account.usage.latched), (1, Status.OK))

    def test_errors_say_who_has_to_act(self):
        with self.assertRaises(oe_process.Error) as missing:
            oe_process.Client()
        self.assertEqual(missing.exception.status, Status.ARGUMENT)
        with client() as account, account.context() as print_:
            with self.assertRaises(oe_process.Error) as wrong:
                print_.process(b"GIF89a")
            self.assertEqual((wrong.exception.status, wrong.exception.retryable), (Status.NOT_JPEG, False))
        with self.assertRaises(oe_process.Error) as closed:
            print_.process(FRAME)
        self.assertEqual(closed.exception.status, Status.HANDLE)
        with oe_process.Client(api_key="k", endpoint="http://127.0.0.1:1", allow_http=True) as nobody:
            with self.assertRaises(oe_process.Error) as refused:
                nobody.context()
            self.assertEqual((refused.exception.status, refused.exception.http_status), (Status.CONNECT, 0))
            self.assertTrue(0 < refused.exception.retry_after <= nobody.create_due_in + 1)

    def test_a_wait_is_cancelled_from_another_thread(self):
        with client() as account, account.context() as print_:
            print_.process(FRAME)
            threading.Timer(0.2, print_.cancel).start()
            with self.assertRaises(oe_process.NotDue) as cancelled:
                print_.wait_due()
            self.assertEqual(cancelled.exception.status, Status.CANCELLED)


class OnePrint(unittest.TestCase):
    def test_what_is_set_for_one_print(self):
        with client() as account:
            with account.context(2, 5, interval=33) as print_:
                self.assertTrue(32 < print_.process(FRAME).next_due <= 33)
                print_.set_confidence(1, 1)
                with self.assertRaises(oe_process.Error) as wrong:
                    print_.set_confidence(1, 2**32 + 1)
                self.assertTrue(str(wrong.exception).startswith("ARGUMENT: confidence: "), str(wrong.exception))
            corner = oe_process.Region(0, 0, 100, 100)
            for status, more in (
                (Status.UNSUPPORTED, {"ignore": [corner]}), (Status.UNSUPPORTED, {"replay": True}),
                (Status.ARGUMENT, {"ignore": [corner] * 9}), (Status.ARGUMENT, {"ignore": [(0, 0, 2**16 + 5, 5)]}),
                (Status.ARGUMENT, {"ignore": [(0, 0, 1000, 1000)]}), (Status.ARGUMENT, {"interval": 2**32 + 5}),
            ):
                with self.subTest(more), self.assertRaises(oe_process.Error) as refused:
                    account.context(**more)
                self.assertEqual(refused.exception.status, status)
                if "replay" not in more:
                    with self.assertRaises(oe_process.Error) as refused:
                        account.monitor(**more)
                    self.assertEqual(refused.exception.status, status)
            with account.monitor(interval=40) as monitor:
                monitor.set_confidence(3, 3)
                monitor.stop()
                with self.assertRaises(oe_process.Error) as closed:
                    monitor.set_confidence(3, 3)
                self.assertEqual(closed.exception.status, Status.CLOSED)

    def test_a_print_is_played_for_the_engine(self):
        self.assertTrue(oe_process.has(oe_process.Feature.EMBEDDED))
        with oe_process.Client(backend=oe_process.Backend.EMBEDDED) as account, account.context(replay=True) as print_:
            played = FRAMES[::2] + FRAMES[-2:] * 6
            results = [print_.process(frame, captured_at=1.7e9 + 20 * n) for n, frame in enumerate(played)]
            self.assertTrue(results[0].print_quality >= 6 and results[-1].print_quality <= 3)
            self.assertEqual([sum(result.warning_edge for result in results), sum(result.pause_edge for result in results)], [1, 1])
            self.assertEqual((account.usage.bytes_sent, account.usage.bytes_received), (0, 0))

    def test_a_name_that_is_not_looked_up_and_no_key(self):
        named = f"http://printer.invalid:{ENDPOINT.rsplit(':', 1)[1]}"
        pinned = {"printer.invalid": "127.0.0.1", "other.invalid": "::1"}
        with oe_process.Client(endpoint=named, allow_http=True, resolve=pinned) as account, account.context() as print_:
            self.assertEqual(print_.process(FRAME).quality_level, oe_process.QualityLevel.GOOD)
        with self.assertRaises(oe_process.Error) as wrong:
            oe_process.Client(endpoint=named, allow_http=True, resolve={"printer.invalid": "x"})
        self.assertTrue(str(wrong.exception).startswith("ARGUMENT: resolve: "), str(wrong.exception))
        self.assertTrue(oe_process.has(oe_process.Feature.MONITOR))

    def test_what_a_service_of_ones_own_sees(self):
        said = {"Place": [250, 500, 125, 400]}
        context = {"ContextId": "C", "NextProcessIntervalSec": 20, "PrintQuality": 2, "WarningSuggested": False, "PauseSuggested": False}

        class Own(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                base = f"http://127.0.0.1:{self.server.server_port}"
                urls = {"ProcessRequestUrl": base + "/p", "FallbackProcessRequestUrl": base + "/f"}
                body = json.dumps({**context, **urls, **said}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *words):
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Own) as service:
            threading.Thread(target=service.serve_forever, daemon=True).start()
            base = f"http://127.0.0.1:{service.server_port}"
            with oe_process.Client(endpoint=base, allow_http=True) as account:
                with account.context() as print_:
                    result = print_.process(FRAME)
                    self.assertEqual(result.place, oe_process.Region(250, 500, 125, 400))
                    self.assertEqual(result.quality_level, oe_process.QualityLevel.BAD)
                said.clear()
                with account.context() as print_:
                    self.assertIsNone(print_.process(FRAME).place)
                said["Blind"] = True
                with account.context() as print_:
                    with self.assertRaises(oe_process.Blind) as blind:
                        print_.process(FRAME)
                    self.assertEqual((blind.exception.status, blind.exception.retry_after), (Status.BLIND, None))
                    self.assertTrue(blind.exception.retryable)
                    self.assertTrue(19 < print_.due_in <= 20)
                    self.assertEqual(print_.info.last_status, Status.BLIND)
            service.shutdown()

    def test_an_event_says_why(self):
        with oe_process.Client(api_key="k", endpoint="http://127.0.0.1:1", allow_http=True) as nobody, nobody.monitor():
            for event in nobody.events():
                self.assertEqual(event.status, event.error.status if event.error else Status.OK)
                if event.kind == EventKind.ERROR:
                    self.assertEqual(event.status, Status.CONNECT)
                    break
        stalled = _native.Event()
        stalled.kind, stalled.status = EventKind.CAMERA_STALLED, Status.BLIND

        def told(handle, ms, event, result, error):
            ctypes.memmove(event, ctypes.byref(stalled), ctypes.sizeof(stalled))
            return 0

        with client() as account, unittest.mock.patch.object(_client._oe, "oe_client_next_event", told):
            self.assertEqual(account.next_event(0).status, Status.BLIND)


class Settings(unittest.TestCase):
    def test_errors_are_in_the_words_of_python(self):
        wrong = {
            "api_key": "a b", "endpoint": "127.0.0.1:8674", "ca_file": "/no/such/file", "proxy": "socks5://x",
            "user_agent": "a\tb", "backend": 7, "trust": 9, "timeout": 0.5, "connect_timeout": 0, "interval": 1209601,
            "workers": 0, "max_frame_age": 3601, "picture_memory_mb": 3, "log_level": 9}
        for name, value in wrong.items():
            with self.subTest(name), self.assertRaises(oe_process.Error) as refused:
                oe_process.Client(**{"api_key": "k", "log": print, name: value})
            self.assertEqual(refused.exception.status, Status.ARGUMENT)
            self.assertTrue(str(refused.exception).startswith(f"ARGUMENT: {name}: "), str(refused.exception))
            self.assertNotRegex(str(refused.exception), "(?i)oe_")
        with self.assertRaises(oe_process.Error) as missing:
            oe_process.Client()
        self.assertRegex(str(missing.exception), r"^ARGUMENT: .*Client\(api_key=\.\.\.\)")
        self.assertNotRegex(str(missing.exception), "(?i)oe_")
        self.assertEqual(_log._functions, {}, "a refused one keeps no function")

    def test_every_text_of_the_library_is_in_the_words_of_python(self):
        for status in Status:
            failure = _native.Error()
            failure.status = status
            self.assertEqual(str(oe_process.Error(failure)).split(":")[0], status.name)
            failure.text = b"OE_ERR_TLS: see oe_options_set_timeout_ms() or oe_client_check_key"
            expected = "Status.TLS: see Client(timeout=...) or Client.check_key()"
            self.assertEqual(oe_process.Error(failure).text, expected)

    def test_an_empty_string_is_none(self):
        empty = {name: "" for name in ("endpoint", "ca_file", "proxy", "user_agent", "model_file")}
        with oe_process.Client(api_key="k", **empty) as hosted:
            self.assertEqual(hosted.usage.creates, 0)
        with self.assertRaises(oe_process.Error) as missing:
            oe_process.Client(api_key="")
        self.assertRegex(str(missing.exception), "needs an API key")

    def test_nothing_is_cut_on_its_way_to_c(self):
        for name in ("api_key", "endpoint", "ca_file", "proxy", "user_agent", "model_file"):
            with self.assertRaisesRegex(ValueError, f"{name} holds a null"):
                oe_process.Client(**{"api_key": "k", name: "https://x\0y"})
        for setting in ({"workers": 2**32 + 4}, {"interval": 2**32 + 5}, {"timeout": 2**32 / 1000 + 60}, {"trust": 2**32}):
            with self.assertRaises(oe_process.Error) as refused:
                oe_process.Client(api_key="k", **setting)
            self.assertEqual(refused.exception.status, Status.ARGUMENT)
        with client() as account:
            with self.assertRaises(oe_process.Error):
                account.context(2**32 + 1)
            for tag in (-1, 2**64):
                with self.assertRaises(ValueError):
                    account.monitor(tag=tag)
            with self.assertRaisesRegex(ValueError, "saved holds a null"):
                account.restore("x\0")


class Buffers(unittest.TestCase):
    def test_every_holder_of_bytes_is_taken(self):
        with tempfile.TemporaryFile() as file:
            file.write(FRAME)
            file.flush()
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        twice = bytes(byte for byte in FRAME for _ in range(2))
        frames = [FRAME, bytearray(FRAME), memoryview(FRAME), memoryview(b"xx" + FRAME)[2:], memoryview(bytearray(FRAME)),
                  array.array("B", FRAME), mapped, (ctypes.c_char * len(FRAME)).from_buffer_copy(FRAME),
                  memoryview(twice)[::2]]
        with client() as account, account.monitor() as print_:
            for frame in frames:
                with held(frame) as (place, size):
                    self.assertEqual(ctypes.string_at(place, size), FRAME, type(frame))
                print_.submit(frame)
            for frame in frames[1:4]:
                with account.context() as context:
                    self.assertEqual(context.process(frame).print_quality, 9)
            with self.assertRaises(oe_process.Error) as cut:
                print_.submit(memoryview(b"xx" + FRAME))
            self.assertEqual(cut.exception.status, Status.NOT_JPEG)
            for empty in (b"", bytearray(), memoryview(b"")):
                with self.assertRaises(oe_process.Error):
                    print_.submit(empty)
            for wrong in ("text", None, 5, [255, 216, 255]):
                with self.assertRaisesRegex(TypeError, "bytes-like"):
                    print_.submit(wrong)

    def test_nothing_is_copied(self):
        where = ctypes.cast(ctypes.c_char_p(FRAME), ctypes.c_void_p).value
        with held(memoryview(FRAME)[3:-1]) as (place, size):
            self.assertEqual((place, size), (where + 3, len(FRAME) - 4))
        own = bytearray(FRAME)
        address = ctypes.addressof((ctypes.c_char * len(own)).from_buffer(own))
        gc.collect()
        with held(own) as (place, size):
            self.assertEqual((place, size), (address, len(own)))
            with self.assertRaises(BufferError):
                own.append(0)

    def test_a_failed_call_lets_go_of_the_buffer(self):
        own = bytearray(b"GIF89a")
        with client() as account, account.context() as print_:
            with self.assertRaises(oe_process.Error) as kept:
                print_.process(own)
            own.clear()
            self.assertEqual(kept.exception.status, Status.NOT_JPEG)


class Logs(unittest.TestCase):
    def test_a_function_gets_lines_from_every_thread(self):
        lines, threads = [], set()

        def on_line(level, text):
            threads.add(threading.get_ident())
            lines.append((level, text))

        with client(log=on_line, log_level=LogLevel.TRACE) as account, account.monitor() as print_:
            while account.next_event(10).kind != EventKind.FRAME_WANTED:
                pass
            print_.submit(FRAME)
            while account.next_event(10).kind != EventKind.RESULT:
                pass
            self.assertEqual(len(_log._functions), 1)
        self.assertGreater(len(lines), 2)
        self.assertTrue(threads - {threading.get_ident()}, "a worker's")
        for level, text in lines:
            self.assertIsInstance(level, LogLevel)
            self.assertIsInstance(text, str)
            self.assertNotIn("SECRETKEY", text)
        print_.close()
        self.assertEqual(_log._functions, {}, "let go of with the last handle")

    def test_what_it_raises_harms_nobody(self):
        def on_line(level, text):
            raise RuntimeError("of the host")

        with unittest.mock.patch("sys.unraisablehook") as hook:
            with client(log=on_line, log_level=LogLevel.TRACE) as account:
                account.check_key()
        self.assertIsInstance(hook.call_args[0][0].exc_value, RuntimeError)

    def test_python_ends_while_a_monitor_logs(self):
        program = f"""
import oe_process, sys
client = oe_process.Client(api_key="k", endpoint={ENDPOINT!r}, allow_http=True, log=lambda *_: None, log_level=5)
monitors = [client.monitor() for _ in range(8)]
frame = open({os.environ["OE_TEST_FRAME"]!r}, "rb").read()
for monitor in monitors:
    monitor.submit(frame)
client.next_event(10)
"""
        for _ in range(3):
            done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
            self.assertEqual((done.returncode, done.stderr), (0, ""))


    def test_python_ends_while_a_thread_is_in_a_call(self):
        program = """
import oe_process, socket, threading, time
silent = socket.socket()
silent.bind(("127.0.0.1", 0))
silent.listen()
url = "http://127.0.0.1:%d" % silent.getsockname()[1]
client = oe_process.Client(api_key="k", endpoint=url, allow_http=True, log=lambda *_: None, log_level=5)
def call():
    try:
        client.context()
    except oe_process.Error:
        pass
threading.Thread(target=call, daemon=True).start()
silent.accept()[0].recv(1)
"""
        for _ in range(3):
            done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
            self.assertEqual((done.returncode, done.stderr), (0, ""))


class Loading(unittest.TestCase):
    """What is said when there is no library to load."""

    def failure(self, path, **more):
        environment = {k: v for k, v in os.environ.items() if k not in ("OE_PROCESS_LIBRARY", "PYTHONPATH")}
        command = [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(path)!r}); import oe_process"]
        done = subprocess.run(command, env={**environment, **more}, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 1, done.stderr)
        return done.stderr.strip().splitlines()[-1]

    def setUp(self):
        # Not in this process, where the library is loaded under that name.
        probe = [sys.executable, "-I", "-c", "import ctypes; ctypes.CDLL('liboe_process.so.0')"]
        if subprocess.run(probe, capture_output=True).returncode == 0:
            self.skipTest("it is installed, and found")
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.place = pathlib.Path(self.folder.name)
        self.sources = sorted(pathlib.Path(oe_process.__file__).parent.glob("*.py"))

    def copy(self):
        (self.place / "oe_process").mkdir()
        for source in self.sources:
            (self.place / "oe_process" / source.name).write_bytes(source.read_bytes())
        return self.place / "oe_process"

    def test_out_of_a_zip(self):
        archive = self.place / "packages.zip"
        with zipfile.ZipFile(archive, "w") as file:
            for source in self.sources:
                file.write(source, "oe_process/" + source.name)
            file.writestr("oe_process/liboe_process.so", b"")
        said = self.failure(archive)
        self.assertRegex(said, f"^ImportError: .*from inside {archive}.*unpack.*OE_PROCESS_LIBRARY")

    def test_without_a_library(self):
        self.copy()
        self.assertRegex(self.failure(self.place), "^ImportError: .*brought no liboe_process.so.*install the wheel")

    def test_with_one_that_is_none(self):
        (self.copy() / "liboe_process.so").write_bytes(b"not a library")
        self.assertRegex(self.failure(self.place), "^ImportError: .*liboe_process.so cannot be loaded here")

    def test_with_one_of_another_version(self):
        self.copy()
        self.assertRegex(self.failure(self.place, OE_PROCESS_LIBRARY="libc.so.6"), "^ImportError: .* has no oe_version")

    def test_with_one_that_the_environment_names(self):
        self.copy()
        self.assertRegex(self.failure(self.place, OE_PROCESS_LIBRARY="/no/such"), "^ImportError: OE_PROCESS_LIBRARY names /no/")


class Monitors(unittest.TestCase):
    def test_asyncio_sees_a_print_fail(self):
        seen = []

        async def watch():
            with client() as account, account.monitor(tag=7) as print_:
                async for event in account:
                    self.assertEqual(event.tag, 7)
                    if event.kind == EventKind.FRAME_WANTED:
                        print_.submit(FRAME[:2] + b"\xff\xfe\x00\x03" + bytes([len(seen)]) + FRAME[2:])
                    elif event.kind == EventKind.RESULT:
                        seen.append(event.result.print_quality)
                    else:
                        seen.append(event.kind)
                    if event.kind == EventKind.PAUSE:
                        return

        asyncio.run(asyncio.wait_for(watch(), 60))
        self.assertEqual(seen, [9, 9, 3, EventKind.WARNING, 1, EventKind.PAUSE])

    def end_loops(self, end, in_a_thread):
        """Two tasks wait for events of one client; another task, or a thread, ends both."""
        async def read(account):
            async for event in account:
                self.fail(event)
            return "ended"

        async def run():
            descriptors = set(os.listdir("/proc/self/fd")) if sys.platform == "linux" else set()
            with client() as account:
                tasks = [asyncio.create_task(read(account)) for _ in range(2)]
                await asyncio.sleep(0.2)
                if in_a_thread:
                    await asyncio.get_running_loop().run_in_executor(None, end, account)
                else:
                    end(account)
                self.assertEqual(await asyncio.wait_for(asyncio.gather(*tasks), 5), ["ended"] * 2)
                if end is oe_process.Client.cancel:  # it is still of use: another loop waits again
                    again = asyncio.create_task(read(account))
                    await asyncio.sleep(0.2)
                    self.assertFalse(again.done())
                    account.cancel()
                    self.assertEqual(await asyncio.wait_for(again, 5), "ended")
            return descriptors

        before = asyncio.run(run())
        if before:
            gc.collect()
            self.assertLessEqual(len(os.listdir("/proc/self/fd")), len(before))

    def test_an_async_loop_ends_with_cancel_and_close(self):
        for end in (oe_process.Client.cancel, oe_process.Client.close):
            for in_a_thread in (False, True):
                with self.subTest(end=end.__name__, in_a_thread=in_a_thread):
                    self.end_loops(end, in_a_thread)

    def test_and_where_the_loop_cannot_wait_for_a_descriptor(self):
        with unittest.mock.patch.object(_client.Client, "_descriptor", lambda self: -1):
            self.test_an_async_loop_ends_with_cancel_and_close()

    def test_an_async_loop_ends_between_two_events(self):
        async def run():
            with client() as account, account.monitor():
                count = 0
                async for event in account:
                    self.assertEqual(event.kind, EventKind.FRAME_WANTED)
                    count += 1
                    account.cancel()
                self.assertEqual(count, 1)
                async for event in account:
                    account.close()

        asyncio.run(asyncio.wait_for(run(), 30))

    def test_a_thread_loop_ends_when_another_closes_the_client(self):
        for end in (oe_process.Client.cancel, oe_process.Client.close):
            account = client()
            threading.Timer(0.3, end, [account]).start()
            self.assertEqual(list(account.events()), [])
            account.close()

    def test_a_thread_reads_events_until_the_client_is_cancelled(self):
        with client() as account:
            threading.Timer(0.3, account.cancel).start()
            self.assertEqual(list(account.events()), [])
            self.assertIsNone(account.next_event(0))


class Drift(unittest.TestCase):
    """The package is what the library is."""

    def test_every_status(self):
        for number in range(-128, 64):
            name = _native.library.oe_status_name(number).decode()
            if name != "OE_STATUS_UNKNOWN":
                self.assertEqual(re.sub("^OE_(ERR_)?", "", name), Status(number).name)

    def test_versions(self):
        from importlib.metadata import PackageNotFoundError, version
        try:
            self.assertEqual(version("oe-process"), ".".join(map(str, oe_process.version())))
        except PackageNotFoundError:
            self.assertIn("OE_PROCESS_LIBRARY", os.environ, "the sources are tried, and not the wheel")
        self.assertIn("oe_process", oe_process.build_info())

    @unittest.skipUnless("OE_TEST_SYMBOLS" in os.environ, "OE_TEST_SYMBOLS names no list")
    def test_every_function_is_reached_or_left_out_on_purpose(self):
        names = set(pathlib.Path(os.environ["OE_TEST_SYMBOLS"]).read_text().split())
        # The structures are made here; the others are doubles.
        left = {f"oe_{n}_init" for n in ("error", "event", "info", "print_options", "result", "usage")}
        left |= {"oe_options_set_ca_pem", "oe_process_jpeg", "oe_context_create", "oe_monitor_start", "oe_version_string"}
        self.assertEqual(names - set(_native._PROTOTYPES), left)


if __name__ == "__main__":
    unittest.main()
