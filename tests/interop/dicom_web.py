"""The isocenter command and PyPI's dicomweb-client ask one Orthanc the same: dicom_web.py ISOCENTER ORTHANC PLUGIN DATA

DATA is tests/dicom/data. Exits with 0 when both were told the same.
"""
import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse

import pydicom
from dicomweb_client.api import DICOMwebClient


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start_orthanc(program, plugin, folder, port):
    settings = {"StorageDirectory": f"{folder}/db", "IndexDirectory": f"{folder}/db", "DicomServerEnabled": False,
                "HttpPort": port, "AuthenticationEnabled": False, "Plugins": [plugin],
                "DicomWeb": {"Enable": True, "Root": "/dicom-web/"}}
    (folder / "orthanc.json").write_text(json.dumps(settings))
    log = open(folder / "log", "w")
    process = subprocess.Popen([program, folder / "orthanc.json"], stdout=log, stderr=log)
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return process
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"Orthanc did not start: {(folder / 'log').read_text()}")


def same(what, ours, theirs):
    if ours != theirs:
        differing = [pair for pair in zip(ours, theirs) if pair[0] != pair[1]] or [(ours, theirs)]
        raise SystemExit(f"{what}: the command and dicomweb-client differ, first in\n{differing[0]}")


def in_order(rows):
    """By instance; in the character set of JSON, which the command corrects: Orthanc copies the file's; addresses by their
    path, since dicomweb-client asks for them without the port."""
    for row in rows:
        if "00080005" in row:
            row["00080005"]["Value"] = ["ISO_IR 192"]
        for attribute in row.values():
            if "BulkDataURI" in attribute:
                attribute["BulkDataURI"] = urllib.parse.urlparse(attribute["BulkDataURI"]).path
    return sorted(rows, key=lambda row: row["00080018"]["Value"])


def main():
    isocenter, orthanc, plugin, data = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="isocenter-web-") as name:
        folder = pathlib.Path(name)
        port = free_port()
        url = f"http://127.0.0.1:{port}/dicom-web"
        server = start_orthanc(orthanc, plugin, folder, port)
        try:
            compare(isocenter, url, folder, pathlib.Path(data) / "series_problems")
            print("dicomweb-client was told the same")
        finally:
            server.terminate()
            server.wait()


def compare(isocenter, url, folder, data):
    def command(*words):
        return subprocess.run([isocenter, *map(str, words)], check=True, capture_output=True, text=True).stdout

    explicit = "1.2.840.10008.1.2.1"  # what dicomweb-client asks for when it is not told
    client = DICOMwebClient(url=url)
    # What they store, we find; what we store, they do.
    theirs = sorted((data / "ct_gantry_tilt").glob("*"))
    client.store_instances([pydicom.dcmread(p) for p in theirs])
    command("send", url, data / "mr_hitachi_oblique", "--outbox", folder / "out")
    keys = ["PatientID", "StudyInstanceUID"]
    studies = json.loads(command("find", url, *[w for k in keys for w in ("-k", k)]))
    same("studies", sorted(s["0020000D"]["Value"][0] for s in studies),
         sorted(s["0020000D"]["Value"][0] for s in client.search_for_studies()))
    for study in (s["0020000D"]["Value"][0] for s in studies):
        series = json.loads(command("find", url, "--level", "series", "-k", f"StudyInstanceUID={study}"))
        same("series", [s["0020000E"]["Value"] for s in series],
             [s["0020000E"]["Value"] for s in client.search_for_series(study)])
        command("fetch", url, folder / study, "-k", f"StudyInstanceUID={study}", "--content", "metadata")
        ours, theirs = in_order(json.loads((folder / study / "metadata.json").read_text())), in_order(
            client.retrieve_study_metadata(study))
        same("number of metadata", len(ours), len(theirs))
        for a, b in zip(ours, theirs):
            same("metadata", sorted(a.items()), sorted(b.items()))
        command("fetch", url, folder / "inbox", "-k", f"StudyInstanceUID={study}", "--transfer-syntax", explicit)
        ours = {d.SOPInstanceUID: d for d in map(pydicom.dcmread, (folder / "inbox" / study).rglob("*.dcm"))}
        got = {d.SOPInstanceUID: d for d in client.retrieve_study(study)}
        same("instances", sorted(ours), sorted(got))
        for uid, instance in ours.items():
            if instance != got[uid]:
                raise SystemExit(f"instance {uid} differs")
        uid, one = sorted(ours.items())[0]
        command("fetch", url, folder / "frames", "-k", f"StudyInstanceUID={study}", "-k",
                f"SeriesInstanceUID={one.SeriesInstanceUID}", "-k", f"SOPInstanceUID={uid}", "--content", "frames",
                "--frames", "1", "--transfer-syntax", explicit)
        same("frame", (folder / "frames" / f"{uid}_1.bin").read_bytes(),
             client.retrieve_instance_frames(study, one.SeriesInstanceUID, uid, [1],
                                             media_types=(("application/octet-stream", explicit),))[0])


main()
