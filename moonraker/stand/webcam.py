"""A webcam that shows the pictures of a folder, each time with another comment in it, and can be unplugged.

/snapshot is a picture, /stream an endless one. What it shows is the picture with the number in `shown`, 0 the first.
"""

import http.server
import threading
import time


class Webcam:
    def __init__(self, pictures):
        self.pictures, self.shown, self.plugged, self.served = pictures, 0, True, 0
        camera = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                camera.answer(self)

            def log_message(self, *words):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def picture(self):
        self.served += 1
        jpeg = self.pictures[self.shown]
        return jpeg[:2] + b"\xff\xfe\x00\x0a" + self.served.to_bytes(8, "big") + jpeg[2:]

    def answer(self, handler):
        if not self.plugged:
            handler.send_error(503)
        elif handler.path.startswith("/snapshot"):
            picture = self.picture()
            handler.send_response(200)
            handler.send_header("Content-Type", "image/jpeg")
            handler.send_header("Content-Length", str(len(picture)))
            handler.end_headers()
            handler.wfile.write(picture)
        else:
            self.stream(handler)

    def stream(self, handler):
        handler.close_connection = True
        handler.send_response(200)
        handler.send_header("Content-Type", "multipart/x-mixed-replace; boundary=picture")
        handler.end_headers()
        try:
            while self.plugged:
                handler.wfile.write(b"--picture\r\nContent-Type: image/jpeg\r\n\r\n" + self.picture() + b"\r\n")
                time.sleep(0.2)
        except OSError:
            pass
