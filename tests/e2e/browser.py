#!/usr/bin/python3
"""A site in a browser: a page of it fetches every file, in whole and in ranges, and compares their sums;
then once more, from its cache, which asks whether they are still so."""
import gzip
import json
import os
import random
import tempfile
import unittest
import zlib

from common import Server, main, need, program, run

PLEXUS = program("clients/cli/plexus")
need("chromium")
FILES = 40
PAGE = """<!doctype html><meta charset="utf-8"><title>a site</title><link rel="stylesheet" href="style.css">
<pre id="out">not run</pre><script src="check.js"></script>"""
# Requests that block: so the page is loaded when the script has ended.
SCRIPT = """
const get = (name, fields) => {
    const r = new XMLHttpRequest();
    r.open('GET', name, false);
    r.overrideMimeType('text/plain; charset=x-user-defined'); // bytes as characters
    for (const [field, value] of Object.entries(fields || {})) r.setRequestHeader(field, value);
    r.send();
    return r;
};
const sum = text => { // Adler-32
    let a = 1, b = 0;
    for (let i = 0; i < text.length; i++) {
        a = (a + (text.charCodeAt(i) & 255)) % 65521;
        b = (b + a) % 65521;
    }
    return b * 65536 + a;
};
const check = (ok, what) => { if (!ok) throw new Error(what); };
const run = () => {
    const files = JSON.parse(get('files.json').responseText);
    let n = 0;
    for (const [name, [size, wanted]] of Object.entries(files)) {
        for (const fields of [{}, {}, {'Cache-Control': 'no-cache'}, {'Cache-Control': 'no-store'}]) {
            const r = get(name, fields);
            check(r.status === 200 && r.responseText.length === size && sum(r.responseText) === wanted, name);
        }
        if (size > 10 && name !== 'packed.txt') {
            const half = Math.floor(size / 2);
            const halves = ['0-' + (half - 1), half + '-'].map(x => get(name, {Range: 'bytes=' + x}));
            check(halves.every(r => r.status === 206), name + ': ranges');
            check(sum(halves.map(r => r.responseText).join('')) === wanted, name + ' in halves');
        }
        n++;
    }
    check(getComputedStyle(out).color === 'rgb(1, 2, 3)', 'the style came, with its type');
    check(get('packed.txt').getResponseHeader('content-encoding') === 'gzip', 'packed beforehand');
    return 'all right: ' + n;
};
const out = document.getElementById('out');
try {
    out.textContent = run();
} catch (e) {
    out.textContent = 'failed: ' + e.message;
}
"""


class Browser(unittest.TestCase):
    def test_a_browser_gets_every_byte_with_its_type(self):
        source = random.Random(1)
        with tempfile.TemporaryDirectory() as top:
            root, files = top + "/www", {}
            os.makedirs(root + "/sub dir")
            contents = {"index.html": PAGE.encode(), "check.js": SCRIPT.encode(),
                        "style.css": b"pre { color: rgb(1, 2, 3) }"}
            for i in range(FILES):
                size = (0, 1, 16384, 16385, 3 << 20)[i] if i < 5 else source.randrange(1, 100000)
                contents["sub dir/\u00e9%d.bin" % i] = source.randbytes(size)
            packed = b"the same line again\n" * 1000
            contents["packed.txt"], contents["packed.txt.gz"] = packed, gzip.compress(packed)
            for name, data in contents.items():
                files[name] = len(data), zlib.adler32(data)
                with open(root + "/" + name, "wb") as f:
                    f.write(data)
            with open(root + "/files.json", "w", encoding="utf-8") as f:
                json.dump(files, f)
            server = Server(PLEXUS, "serve", "--root", root, "--listen", "127.0.0.1:0")
            try:
                code, page, err = run(
                    "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--user-data-dir=" + top + "/profile",
                    "--dump-dom", server.url + "/",
                    timeout=100)
                self.assertEqual(code, 0, err)
                self.assertIn("all right: %d" % len(files), page.decode())
                self.assertEqual(server.stop(), 0)
            finally:
                server.kill()


if __name__ == "__main__":
    main()
