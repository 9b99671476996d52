#!/usr/bin/env python3
"""The part of Google Cloud Storage's XML API that a warehouse uses, on loopback and in memory.

No package brings a server of that API: the emulators there are speak the JSON API and ignore conditions. This one
follows https://cloud.google.com/storage/docs/xml-api for objects, listings, multipart uploads and the header
x-goog-if-generation-match, and refuses everything else, so that a call nobody thought of fails the test.

usage: gcs.py PORT
"""

import hashlib
import sys
import threading
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape


class Bucket:
    """Objects by name, each with its generation; uploads by id. Whoever reads or writes holds the lock."""

    def __init__(self):
        self.lock = threading.Lock()
        self.objects = {}
        self.uploads = {}
        self.generation = int(time.time() * 1e6)

    def put(self, name, content):
        self.generation += 1
        self.objects[name] = (content, self.generation, hashlib.md5(content).hexdigest(), time.time())
        return self.objects[name]


BUCKET = Bucket()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def fail(self, status, code):
        self.answer(status, f"<?xml version='1.0'?><Error><Code>{code}</Code></Error>".encode())

    def parts(self):
        url = urlsplit(self.path)
        _, bucket, *name = url.path.split("/", 2)
        query = {key: values[0] for key, values in parse_qs(url.query, keep_blank_values=True).items()}
        return unquote(bucket), unquote(name[0]) if name else "", query

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def described(self, held):
        _, generation, etag, at = held
        return [("ETag", f'"{etag}"'), ("x-goog-generation", str(generation)), ("Last-Modified", formatdate(at, usegmt=True))]

    def do_PUT(self):
        _, name, query = self.parts()
        content = self.body()
        with BUCKET.lock:
            if "uploadId" in query:
                if query["uploadId"] not in BUCKET.uploads:
                    return self.fail(404, "NoSuchUpload")
                BUCKET.uploads[query["uploadId"]][int(query["partNumber"])] = content
                return self.answer(200, headers=[("ETag", f'"{hashlib.md5(content).hexdigest()}"')])
            wanted = self.headers.get("x-goog-if-generation-match")
            held = BUCKET.objects.get(name)
            if wanted is not None and int(wanted) != (held[1] if held else 0):
                return self.fail(412, "PreconditionFailed")
            source = self.headers.get("x-goog-copy-source")
            if source:
                held = BUCKET.objects.get(unquote(source).split("/", 1)[1])
                if held is None:
                    return self.fail(404, "NoSuchKey")
                content = held[0]
            return self.answer(200, headers=self.described(BUCKET.put(name, content)))

    def do_POST(self):
        bucket, name, query = self.parts()
        content = self.body()
        with BUCKET.lock:
            if "uploads" in query:
                upload = f"upload{len(BUCKET.uploads)}"
                BUCKET.uploads[upload] = {}
                body = (
                    f"<?xml version='1.0'?><InitiateMultipartUploadResult><Bucket>{escape(bucket)}</Bucket>"
                    f"<Key>{escape(name)}</Key><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"
                )
                return self.answer(200, body.encode())
            upload = BUCKET.uploads.pop(query.get("uploadId", ""), None)
            if upload is None:
                return self.fail(404, "NoSuchUpload")
            numbers = [int(e.text) for e in ElementTree.fromstring(content).iter() if e.tag.endswith("PartNumber")]
            held = BUCKET.put(name, b"".join(upload[number] for number in numbers))
            body = (
                f"<?xml version='1.0'?><CompleteMultipartUploadResult><Key>{escape(name)}</Key>"
                f"<ETag>\"{held[2]}\"</ETag></CompleteMultipartUploadResult>"
            )
            return self.answer(200, body.encode(), [("x-goog-generation", str(held[1]))])

    def do_DELETE(self):
        _, name, query = self.parts()
        with BUCKET.lock:
            if "uploadId" in query:
                BUCKET.uploads.pop(query["uploadId"], None)
                return self.answer(204)
            if BUCKET.objects.pop(name, None) is None:
                return self.fail(404, "NoSuchKey")
            return self.answer(204)

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        _, name, query = self.parts()
        if not name:
            return self.listing(query)
        with BUCKET.lock:
            held = BUCKET.objects.get(name)
        if held is None:
            return self.fail(404, "NoSuchKey")
        content, headers = held[0], self.described(held)
        asked = self.headers.get("Range")
        if not asked:
            return self.answer(200, content, headers)
        first, last = asked.removeprefix("bytes=").split("-")
        start = int(first) if first else max(0, len(content) - int(last))
        end = min(int(last), len(content) - 1) if first and last else len(content) - 1
        if start >= len(content):
            return self.fail(416, "InvalidRange")
        headers.append(("Content-Range", f"bytes {start}-{end}/{len(content)}"))
        return self.answer(206, content[start : end + 1], headers)

    def listing(self, query):
        known = {"list-type", "prefix", "delimiter", "start-after", "continuation-token", "max-keys"}
        if set(query) - known:
            return self.fail(501, "NotImplemented")
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter")
        after = max(query.get("start-after", ""), query.get("continuation-token", ""))
        # Small pages, so that their chain is tested as well.
        most = int(query.get("max-keys", 100))
        with BUCKET.lock:
            held = sorted((name, held) for name, held in BUCKET.objects.items() if name.startswith(prefix))
        entries, folders, last, more = [], [], "", False
        for name, (content, generation, etag, at) in held:
            rest = name[len(prefix) :]
            folder = prefix + rest.split(delimiter)[0] + delimiter if delimiter and delimiter in rest else None
            if name <= after or (folder and after.startswith(folder)) or folder in folders:
                continue
            if len(entries) + len(folders) == most:
                more = True
                break
            last = name
            if folder:
                folders.append(folder)
                continue
            moment = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(at))
            entries.append(
                f"<Contents><Key>{escape(name)}</Key><Generation>{generation}</Generation><LastModified>{moment}</LastModified>"
                f"<ETag>\"{etag}\"</ETag><Size>{len(content)}</Size></Contents>"
            )
        body = "<?xml version='1.0'?><ListBucketResult>" + "".join(entries)
        body += "".join(f"<CommonPrefixes><Prefix>{escape(folder)}</Prefix></CommonPrefixes>" for folder in folders)
        if more:
            body += f"<NextContinuationToken>{escape(last)}</NextContinuationToken>"
        body += f"<IsTruncated>{str(more).lower()}</IsTruncated></ListBucketResult>"
        return self.answer(200, body.encode())


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
