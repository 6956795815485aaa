"""The command's network part as processes: isocenter echo, send, find, fetch, commit, receive and mpps.

    python3 dicom_commands.py ISOCENTER

Against Orthanc (Debian: orthanc) and DCMTK's programs (Debian: dcmtk), with TLS where DCMTK is the peer; against
pynetdicom when this Python has it (pip install pynetdicom), which also plays the information system that the procedure
steps go to. What is not installed is named and left out. Ends with 1 when something differs.
"""
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

isocenter = sys.argv[1]
failures = []


def check(true, what):
    print(("ok      " if true else "FAILED  ") + what, flush=True)
    if not true:
        failures.append(what)


def run(*words, expect=0):
    """One command to its end: its status has to be `expect`; what it printed."""
    done = subprocess.run([isocenter, *words], capture_output=True, text=True, timeout=120)
    text = done.stdout + done.stderr
    check(done.returncode == expect, f"isocenter {words[0]} ends with {expect}" +
          ("" if done.returncode == expect else f", not {done.returncode}: {text}"))
    return text


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port):
    for _ in range(400):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise SystemExit(f"nobody listens at port {port}")


@contextlib.contextmanager
def program(*words):
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()


def data_set(path):
    """A file's bytes after its meta information (PS3.10 section 7.1)."""
    with open(path, "rb") as f:
        content = f.read()
    return content[144 + int.from_bytes(content[140:144], "little"):]


def dicom_files(folder):
    return sorted(os.path.join(at, name) for at, _, names in os.walk(folder) for name in names if name.endswith(".dcm"))


def same(folder, files, what):
    check(sorted(data_set(p) for p in dicom_files(folder)) == sorted(data_set(p) for p in files), what)


UID = "1.2.826.0.1.3680043.8.498.77"


def make_series(folder, count):
    os.makedirs(folder)
    files = []
    for i in range(count):
        text = os.path.join(folder, "dump")
        with open(text, "w") as f:
            f.write(f"""(0008,0016) UI 1.2.840.10008.5.1.4.1.1.2
(0008,0018) UI {UID}.3.{i + 1}
(0008,0060) CS CT
(0010,0010) PN Command^Line
(0010,0020) LO COMMAND1
(0018,1030) LO HEAD
(0020,000d) UI {UID}.1
(0020,000e) UI {UID}.2
(0020,0013) IS {i + 1}
(0028,0002) US 1
(0028,0004) CS MONOCHROME2
(0028,0010) US 2
(0028,0011) US 2
(0028,0100) US 16
(0028,0101) US 16
(0028,0102) US 15
(0028,0103) US 0
(7fe0,0010) OW {i:04x}\\1234\\5678\\9abc
""")
        files.append(os.path.join(folder, f"{i}.dcm"))
        subprocess.run(["dump2dcm", "-q", "+te", text, files[-1]], check=True)
        os.remove(text)
    return files


def certificates(folder):
    """A certificate that is its own authority; the options of isocenter for it."""
    key, certificate = os.path.join(folder, "key.pem"), os.path.join(folder, "certificate.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return key, certificate, ["--tls-certificate", certificate, "--tls-key", key, "--tls-authorities", certificate]


def orthanc(folder, files, tls):
    """Everything but receive; over TLS Orthanc comes back with C-MOVE and its commitments over TLS, too."""
    key, certificate, ours = tls if tls else (None, None, [])
    how = "over TLS" if tls else "over TCP"
    folder = os.path.join(folder, "orthanc-tls" if tls else "orthanc")
    os.makedirs(folder)
    secrets = {"DicomTlsCertificate": certificate, "DicomTlsPrivateKey": key,
               "DicomTlsTrustedCertificates": certificate} if tls else {}
    port, our_port = free_port(), free_port()
    with open(os.path.join(folder, "orthanc.json"), "w") as f:
        json.dump({"StorageDirectory": folder + "/db", "IndexDirectory": folder + "/db", "HttpServerEnabled": False,
                   "DicomAet": "ORTHANC", "DicomCheckCalledAet": True, "DicomPort": port, "Plugins": [],
                   "DicomAlwaysAllowGet": True, "DicomAlwaysAllowFind": True, "DicomAlwaysAllowMove": True,
                   "DicomModalities": {"we": {"AET": "ISOCENTER", "Host": "127.0.0.1", "Port": our_port,
                                              "AllowStorageCommitment": True, "UseDicomTls": bool(tls)}},
                   "DicomTlsEnabled": bool(tls)} | secrets, f)
    peer = f"ORTHANC@127.0.0.1:{port}"
    with program(shutil.which("Orthanc") or "/usr/sbin/Orthanc", folder + "/orthanc.json"):
        wait_for(port)
        check("answered in" in run("echo", *ours, peer), f"Orthanc answers an echo {how}")
        check("it is not called 'ELSEWHERE'. Fix: " in run("echo", *ours, f"ELSEWHERE@127.0.0.1:{port}", expect=2),
              f"a wrong title is named {how}")
        check("3 delivered, 0 found there, 0 refused, 0 left" in
              run("send", *ours, peer, os.path.dirname(files[0]), "--outbox", folder + "/outbox"), f"Orthanc takes three {how}")
        answers = json.loads(run("find", *ours, peer, "-k", "PatientID=COMMAND1"))
        check([a["0020000D"]["Value"] for a in answers] == [[f"{UID}.1"]], f"find has the study {how}")
        check(json.loads(run("find", *ours, peer, "-k", "PatientID=NOBODY")) == [], f"find has nothing of somebody else {how}")
        check("3 fetched, 0 failed" in run("fetch", *ours, peer, folder + "/got", "-k", f"StudyInstanceUID={UID}.1"),
              f"C-GET brings three {how}")
        same(folder + "/got", files, f"C-GET brings what was sent {how}")
        check("3 fetched, 0 failed" in run("fetch", *ours, peer, folder + "/moved", "-k", f"StudyInstanceUID={UID}.1", "--move",
                                           "--listen", str(our_port)), f"C-MOVE brings three {how}")
        same(folder + "/moved", files, f"C-MOVE brings what was sent {how}")
        check("3 committed, 0 not" in run("commit", *ours, peer, os.path.dirname(files[0]), "--listen", str(our_port), "--wait", "60"),
              f"Orthanc commits itself to three {how}")
        more = make_series(folder + "/more", 4)
        text = run("commit", *ours, peer, os.path.dirname(more[0]), "--listen", str(our_port), "--wait", "60", expect=3)
        check(f"{UID}.3.4 is not committed: the peer answered 0x0112, no such object instance" in text and
              "3 committed, 1 not" in text, f"the fourth, which was not sent, is named {how}")


def dcmtk(folder, files, tls):
    """storescp takes what we send, storescu sends what we receive; over TLS when there are certificates."""
    key, certificate, ours = tls if tls else (None, None, [])
    theirs = ["+tls", key, certificate, "+cf", certificate] if tls else []
    how = "over TLS" if tls else "over TCP"
    folder = os.path.join(folder, "tls" if tls else "tcp")
    os.makedirs(folder + "/storescp")
    port = free_port()
    with program("storescp", *theirs, "-aet", "STORE", "-od", folder + "/storescp", "+xa", str(port)):
        wait_for(port)
        check("answered in" in run("echo", f"STORE@127.0.0.1:{port}", *ours), f"storescp answers an echo {how}")
        check("3 delivered" in run("send", f"STORE@127.0.0.1:{port}", os.path.dirname(files[0]), "--outbox",
                                   folder + "/outbox", *ours), f"storescp takes three {how}")
        check(len(os.listdir(folder + "/storescp")) == 3, f"storescp has three {how}")
        if tls:
            run("echo", f"STORE@127.0.0.1:{port}", "--timeout", "5", expect=3)
    port = free_port()
    receiver = subprocess.Popen([isocenter, "receive", folder + "/inbox", "--aet", "WE", "--port", str(port), "--series",
                                 "1", "--journal", "256", *ours], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_for(port)
    subprocess.run(["storescu", *theirs, "-aec", "WE", "127.0.0.1", str(port), *files], check=True)
    text = receiver.communicate(timeout=60)[0]
    check(receiver.returncode == 0 and "3 instances, 1 whole series" in text, f"receive takes three {how}: {text.strip()}")
    same(folder + "/inbox", files, f"receive keeps what storescu sent {how}")
    check(not os.listdir(folder + "/inbox/.journal"), "nothing is left in the journal")


def archive(folder, files, tls):
    """dcmqrscp keeps what we send, and tells us and findscu the same; movescu has it sent to our receiver. Debian's has
    no TLS: a proxy has it in its place, and nothing is moved."""
    key, certificate, ours = tls if tls else (None, None, [])
    theirs = ["+tls", key, certificate, "+cf", certificate] if tls else []
    how = "over TLS" if tls else "over TCP"
    folder = os.path.join(folder, "archive-tls" if tls else "archive")
    os.makedirs(folder + "/db")
    os.makedirs(folder + "/findscu")
    port, our_port = free_port(), free_port()
    with open(folder + "/config", "w") as f:
        f.write(f"""NetworkTCPPort = {port}
MaxPDUSize = 131072
MaxAssociations = 16
HostTable BEGIN
we = (ISOCENTER, 127.0.0.1, {our_port})
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
PACS {folder}/db RW (200, 1024mb) ANY
AETable END
""")
    peer, study = f"PACS@127.0.0.1:{port}", f"StudyInstanceUID={UID}.1"
    with contextlib.ExitStack() as stack:
        stack.enter_context(program("dcmqrscp", "-c", folder + "/config", str(port)))
        wait_for(port)
        if tls:
            behind, port = port, free_port()
            peer = f"PACS@127.0.0.1:{port}"
            proxy = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tls_proxy.py")
            stack.enter_context(program(sys.executable, proxy, str(port), certificate, key, str(behind)))
            wait_for(port)
        check("3 delivered" in run("send", peer, os.path.dirname(files[0]), "--outbox", folder + "/outbox", *ours),
              f"dcmqrscp takes three {how}")
        answers = json.loads(run("find", peer, "--level", "image", "-k", study, "-k", f"SeriesInstanceUID={UID}.2", *ours))
        subprocess.run(["findscu", *theirs, "-S", "-X", "-od", folder + "/findscu", "-aec", "PACS", "-k",
                        "QueryRetrieveLevel=IMAGE", "-k", study, "-k", f"SeriesInstanceUID={UID}.2", "-k", "SOPInstanceUID",
                        "127.0.0.1", str(port)], check=True)
        found = [re.search(r"\[(.*)\]", subprocess.run(["dcmdump", "-q", "+P", "0008,0018", path],
                                                                     capture_output=True, text=True).stdout)[1]
                 for path in dicom_files(folder + "/findscu")]
        check(len(found) == 3 and sorted(a["00080018"]["Value"][0] for a in answers) == sorted(found),
              f"find and findscu are told the same {how}")
        check("3 fetched, 0 failed" in run("fetch", peer, folder + "/got", "-k", study, *ours), f"C-GET brings three {how}")
        same(folder + "/got", files, f"C-GET brings what was sent {how}")
        if tls:
            return
        check("3 fetched, 0 failed" in run("fetch", peer, folder + "/moved", "-k", study, "--move", "--listen",
                                           str(our_port)), "C-MOVE brings three")
        same(folder + "/moved", files, "C-MOVE brings what was sent")
        receiver = subprocess.Popen([isocenter, "receive", folder + "/inbox", "--port", str(our_port), "--series", "1"],
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        wait_for(our_port)
        subprocess.run(["movescu", "-S", "-aec", "PACS", "-aet", "ISOCENTER", "-aem", "ISOCENTER", "-k",
                        "QueryRetrieveLevel=STUDY", "-k", study, "127.0.0.1", str(port)], check=True)
        text = receiver.communicate(timeout=60)[0]
        check("3 instances, 1 whole series" in text, f"receive takes what movescu asked for: {text.strip()}")
        same(folder + "/inbox", files, "receive keeps what movescu asked for")


def interrupted(folder):
    """Ctrl-C is how a receiver without --series ends."""
    port = free_port()
    receiver = subprocess.Popen([isocenter, "receive", folder + "/interrupted", "--port", str(port)],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_for(port)
    receiver.send_signal(signal.SIGINT)
    text = receiver.communicate(timeout=60)[0]
    check(receiver.returncode == 0 and "0 instances" in text, "receive ends with 0 at Ctrl-C")


def pynetdicom(folder, files):
    try:
        from pydicom import dcmread
        from pydicom.dataset import Dataset
        from pynetdicom import AE, evt
        from pynetdicom.sop_class import CTImageStorage, ModalityPerformedProcedureStep, Verification
    except ImportError:
        print("left out: pynetdicom is not installed (pip install pynetdicom)")
        return
    stored, steps = [], {}
    lock = threading.Lock()

    def on_store(event):
        with lock:
            stored.append(event.dataset)
        return 0x0000

    def on_create(event):
        uid = event.request.AffectedSOPInstanceUID
        if uid in steps:
            return 0x0111, None
        steps[uid] = event.attribute_list
        return 0x0000, event.attribute_list

    def on_set(event):
        uid = event.request.RequestedSOPInstanceUID
        if uid not in steps:
            return 0x0112, None
        steps[uid].update(event.modification_list)
        return 0x0000, steps[uid]

    port = free_port()
    ae = AE(ae_title="PYNET")
    for sop_class in (Verification, CTImageStorage, ModalityPerformedProcedureStep):
        ae.add_supported_context(sop_class)
    server = ae.start_server(("127.0.0.1", port), block=False, evt_handlers=[
        (evt.EVT_C_STORE, on_store), (evt.EVT_N_CREATE, on_create), (evt.EVT_N_SET, on_set)])
    peer = f"PYNET@127.0.0.1:{port}"
    check("answered in" in run("echo", peer), "pynetdicom answers an echo")
    check("3 delivered" in run("send", peer, os.path.dirname(files[0]), "--outbox", folder + "/outbox-pynet"),
          "pynetdicom takes three")
    check(sorted(d.PixelData for d in stored) == sorted(dcmread(p).PixelData for p in files), "and the same pixels")

    uid = run("mpps", "start", peer, "-k", "Modality=CT", "-k", "PatientID=COMMAND1", "-k",
              f"ScheduledStepAttributesSequence[0].StudyInstanceUID={UID}.1").strip()
    step = steps.get(uid, Dataset())
    check(step.get("PerformedProcedureStepStatus") == "IN PROGRESS" and step.get("PatientID") == "COMMAND1" and
          re.fullmatch(r"\d{8}", str(step.get("PerformedProcedureStepStartDate"))), "a step begins")
    check("Modality (0008,0060)" in run("mpps", "start", peer, "-k",
                                        f"ScheduledStepAttributesSequence[0].StudyInstanceUID={UID}.1", expect=2),
          "what is missing is named")
    check("PerformedProcedureStepEndDate (0040,0250) = '2026-01-01' is no value of DA: a date is eight digits" in
          run("mpps", "complete", peer, "--uid", uid, "--made", os.path.dirname(files[0]), "-k",
              "PerformedProcedureStepEndDate=2026-01-01", expect=2), "a value that is none is named before it is sent")
    check("no item in PerformedSeriesSequence (0040,0340)" in run("mpps", "complete", peer, "--uid", uid, expect=2),
          "and so is a series that is missing")
    check(run("mpps", "complete", peer, "--uid", uid, "--made", os.path.dirname(files[0])).strip() == uid, "a step ends")
    series = step.get("PerformedSeriesSequence", [])
    check(step.get("PerformedProcedureStepStatus") == "COMPLETED" and len(series) == 1 and
          series[0].ProtocolName == "HEAD" and
          sorted(i.ReferencedSOPInstanceUID for i in series[0].ReferencedImageSequence) ==
          [f"{UID}.3.{i + 1}" for i in range(3)], "with the instances that were made")
    check("0x0112, no such SOP instance" in run("mpps", "discontinue", peer, "--uid", "1.2.3", "--made", files[0],
                                                expect=3), "an unknown step is named")
    server.shutdown()

    port = free_port()
    receiver = subprocess.Popen([isocenter, "receive", folder + "/from-pynet", "--port", str(port), "--series", "1"],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_for(port)
    user = AE(ae_title="PYNET")
    user.add_requested_context(CTImageStorage, dcmread(files[0]).file_meta.TransferSyntaxUID)
    association = user.associate("127.0.0.1", port, ae_title="ISOCENTER")
    check(association.is_established and all(association.send_c_store(dcmread(p)).Status == 0 for p in files),
          "receive takes what pynetdicom sends")
    association.release()
    receiver.communicate(timeout=60)
    check(sorted(dcmread(p).PixelData for p in dicom_files(folder + "/from-pynet")) ==
          sorted(dcmread(p).PixelData for p in files), "and keeps the same pixels")


with tempfile.TemporaryDirectory() as folder:
    files = make_series(folder + "/ct", 3)
    has_orthanc = shutil.which("Orthanc") or os.path.exists("/usr/sbin/Orthanc")
    if not has_orthanc:
        print("left out: Orthanc is not installed (Debian: orthanc)")
    tls = certificates(folder)
    for how in (None, tls):
        if has_orthanc:
            orthanc(folder, files, how)
        dcmtk(folder, files, how)
        archive(folder, files, how)
    interrupted(folder)
    pynetdicom(folder, files)
if failures:
    sys.exit(f"{len(failures)} failed: " + "; ".join(failures))
