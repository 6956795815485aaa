"""Plays a video in a real browser and prints what the browser says of it; run by hand.

python play_in_browser.py VIDEO.webm [BROWSER]      BROWSER: chromium (default), google-chrome, ...
Prints duration and size, the colour of the middle pixel after seeking to several times, and how playing ended.
"""
import http.server
import pathlib
import re
import subprocess
import sys
import tempfile
import threading

PAGE = """<script>
const lines = [], say = s => lines.push(s), event = (o, e) => new Promise(a => o['on' + e] = a);
async function go() {
  const v = document.createElement('video'), c = document.createElement('canvas'), g = c.getContext('2d');
  v.muted = true; v.src = 'video'; v.onerror = () => say('error: ' + v.error.message);
  await Promise.race([event(v, 'loadeddata'), event(v, 'error')]);
  say('duration ' + v.duration + ' s, ' + v.videoWidth + ' x ' + v.videoHeight);
  for (const part of [0.5, 0.9, 0.1, 0.75]) {
    v.currentTime = v.duration * part; await event(v, 'seeked');
    c.width = v.videoWidth; c.height = v.videoHeight; g.drawImage(v, 0, 0);
    say('at ' + v.currentTime + ' s: rgb ' + g.getImageData(c.width / 2, c.height / 2, 1, 1).data.slice(0, 3));
  }
  v.currentTime = 0; await event(v, 'seeked'); await v.play(); await event(v, 'ended');
  say('played to its end, ' + v.currentTime + ' s');
}
go().catch(e => say('error: ' + e)).finally(() => fetch('/report', {method: 'POST', body: lines.join('\\n')}));
</script>"""

video = pathlib.Path(sys.argv[1]).read_bytes()
browser = sys.argv[2] if len(sys.argv) > 2 else "chromium"
done = threading.Event()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        print(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.send_response(200)
        self.end_headers()
        done.set()

    def do_GET(self):
        is_video = self.path == "/video"
        body, status = (video if is_video else PAGE.encode()), 200
        wanted = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")) if is_video else None
        if wanted:
            first, last = int(wanted[1]), int(wanted[2] or len(video) - 1)
            body, status = video[first : last + 1], 206
        self.send_response(status)
        if wanted:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(video)}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Type", "video/webm" if is_video else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
    running = subprocess.Popen(
        [browser, "--headless", "--no-sandbox", "--autoplay-policy=no-user-gesture-required", f"--user-data-dir={profile}",
         f"http://127.0.0.1:{server.server_port}/"], stderr=subprocess.DEVNULL)
    in_time = done.wait(120)
    running.kill()
    running.wait()
sys.exit(0 if in_time else "the browser did not report within two minutes")
