"""The installed package against a service: OE_TEST_ENDPOINT, with the verdicts good, good, warning, pause; OE_TEST_FRAME a picture."""
import asyncio
import os
import pathlib
import re
import threading
import unittest

import oe_process
from oe_process import EventKind, Status, _native

ENDPOINT = os.environ["OE_TEST_ENDPOINT"]
FRAME = pathlib.Path(os.environ["OE_TEST_FRAME"]).read_bytes()


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
        from importlib.metadata import version
        self.assertEqual(version("oe-process"), ".".join(map(str, oe_process.version())))
        self.assertIn("oe_process", oe_process.build_info())

    @unittest.skipUnless("OE_TEST_SYMBOLS" in os.environ, "OE_TEST_SYMBOLS names no list")
    def test_every_function_is_reached_or_left_out_on_purpose(self):
        names = set(pathlib.Path(os.environ["OE_TEST_SYMBOLS"]).read_text().split())
        # The structures are made here; the log function would be called on foreign threads; the others are doubles.
        left = {f"oe_{n}_init" for n in ("error", "event", "info", "result", "usage")}
        left |= {"oe_options_set_log", "oe_options_set_ca_pem", "oe_process_jpeg"}
        self.assertEqual(names - set(_native._PROTOTYPES), left)


if __name__ == "__main__":
    unittest.main()
