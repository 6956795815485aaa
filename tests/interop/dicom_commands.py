"""The command's network part as processes: isocenter echo, send, find, fetch, commit, receive and mpps.

    python3 dicom_commands.py ISOCENTER

Against Orthanc (Debian: orthanc), DCMTK's programs (Debian: dcmtk) and, when this Python has it, pynetdicom (pip install
pynetdicom), which also plays the information system that the procedure steps go to; each over TCP and over TLS with
certificates of both ends. Debian's movescu, dcmqrscp and wlmscpfs have no TLS: a proxy has it in their place. What is not
installed is named and left out. Ends with 1 when something differs.
"""
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import ssl
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


def tls_proxy(stack, tls, target, outwards=False):
    """The port of TLS in front of a plain server, or the other way round."""
    key, certificate, _ = tls
    port = free_port()
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tls_proxy.py")
    stack.enter_context(program(sys.executable, script, *["--outwards"][:outwards], str(port), certificate, key, str(target),
                                certificate))
    return port


def data_set(path):
    """A file's bytes after its meta information (PS3.10 section 7.1)."""
    with open(path, "rb") as f:
        content = f.read()
    return content[144 + int.from_bytes(content[140:144], "little"):]


def dicom_files(folder):
    return sorted(os.path.join(at, name) for at, _, names in os.walk(folder) for name in names if name.endswith(".dcm"))


def same(folder, files, what):
    check(sorted(data_set(p) for p in dicom_files(folder)) == sorted(data_set(p) for p in files), what)


UID, COMPRESSED = "1.2.826.0.1.3680043.8.498.77", "1.2.826.0.1.3680043.8.498.78"


def make_series(folder, count, root=UID):
    os.makedirs(folder)
    files = []
    for i in range(count):
        text = os.path.join(folder, "dump")
        with open(text, "w") as f:
            f.write(f"""(0008,0016) UI 1.2.840.10008.5.1.4.1.1.2
(0008,0018) UI {root}.3.{i + 1}
(0008,0060) CS CT
(0010,0010) PN Command^Line
(0010,0020) LO COMMAND1
(0018,1030) LO HEAD
(0020,000d) UI {root}.1
(0020,000e) UI {root}.2
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


def make_compressed(folder):
    """A series of four: RLE, JPEG, JPEG-LS and uncompressed."""
    files = make_series(folder, 4, COMPRESSED)
    for i, tool in enumerate(("dcmcrle", "dcmcjpeg", "dcmcjpls")):
        subprocess.run([tool, files[i], files[i] + ".new"], check=True)
        os.replace(files[i] + ".new", files[i])
    return files


def certificates(folder, name="certificate"):
    """A certificate that is its own authority; the options of isocenter for it."""
    key, certificate = os.path.join(folder, name + "-key.pem"), os.path.join(folder, name + ".pem")
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
        compressed = make_compressed(folder + "/compressed")
        check("4 delivered, 0 found there, 4 committed, 0 refused, 0 left" in
              run("send", *ours, peer, os.path.dirname(compressed[0]), "--outbox", folder + "/outbox", "--commit", "--listen",
                  str(our_port), "--wait", "60"), f"Orthanc takes compressed ones and commits itself to them {how}")
        check("4 fetched, 0 failed" in run("fetch", *ours, peer, folder + "/as-stored", "-k",
                                           f"StudyInstanceUID={COMPRESSED}.1"), f"C-GET brings the compressed ones {how}")
        same(folder + "/as-stored", compressed, f"C-GET brings them as they are stored {how}")
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
    """dcmqrscp keeps what we send, and tells us and findscu the same; movescu has it sent to our receiver. With TLS a
    proxy stands before dcmqrscp, and another one on its way to us."""
    key, certificate, ours = tls if tls else (None, None, [])
    theirs = ["+tls", key, certificate, "+cf", certificate] if tls else []
    how = "over TLS" if tls else "over TCP"
    folder = os.path.join(folder, "archive-tls" if tls else "archive")
    os.makedirs(folder + "/db")
    os.makedirs(folder + "/findscu")
    plain, our_port = free_port(), free_port()
    stack = contextlib.ExitStack()
    way_to_us = tls_proxy(stack, tls, our_port, outwards=True) if tls else our_port
    with open(folder + "/config", "w") as f:
        f.write(f"""NetworkTCPPort = {plain}
MaxPDUSize = 131072
MaxAssociations = 16
HostTable BEGIN
we = (ISOCENTER, 127.0.0.1, {way_to_us})
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
PACS {folder}/db RW (200, 1024mb) ANY
AETable END
""")
    study = f"StudyInstanceUID={UID}.1"
    with stack:
        stack.enter_context(program("dcmqrscp", "-c", folder + "/config", str(plain)))
        wait_for(plain)
        port = tls_proxy(stack, tls, plain) if tls else plain
        wait_for(port)
        peer = f"PACS@127.0.0.1:{port}"
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
        check("3 fetched, 0 failed" in run("fetch", peer, folder + "/moved", "-k", study, "--move", "--listen",
                                           str(our_port), *ours), f"C-MOVE brings three {how}")
        same(folder + "/moved", files, f"C-MOVE brings what was sent {how}")
        receiver = subprocess.Popen([isocenter, "receive", folder + "/inbox", "--port", str(our_port), "--series", "1", *ours],
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        wait_for(our_port)
        subprocess.run(["movescu", "-S", "-aec", "PACS", "-aet", "ISOCENTER", "-aem", "ISOCENTER", "-k",
                        "QueryRetrieveLevel=STUDY", "-k", study, "127.0.0.1", str(plain)], check=True)
        text = receiver.communicate(timeout=60)[0]
        check("3 instances, 1 whole series" in text, f"receive takes what movescu asked for {how}: {text.strip()}")
        same(folder + "/inbox", files, f"receive keeps what movescu asked for {how}")


def worklist(folder, tls):
    """wlmscpfs tells us and findscu the same steps; with TLS a proxy stands before it."""
    key, certificate, ours = tls if tls else (None, None, [])
    theirs = ["+tls", key, certificate, "+cf", certificate] if tls else []
    how = "over TLS" if tls else "over TCP"
    folder = os.path.join(folder, "worklist-tls" if tls else "worklist")
    os.makedirs(folder + "/RIS")
    os.makedirs(folder + "/findscu")
    with open(folder + "/RIS/lockfile", "w"):
        pass
    for number, modality in enumerate(("CT", "MR", "CT")):
        with open(folder + "/dump", "w") as f:
            f.write(f"""(0008,0050) SH A{number}
(0010,0010) PN Loop^Back
(0010,0020) LO {number}
(0020,000d) UI {UID}.9.{number}
(0032,1060) LO Head
(0040,1001) SH R{number}
(0040,0100) SQ
(fffe,e000) -
(0008,0060) CS {modality}
(0040,0001) AE ISOCENTER
(0040,0002) DA 20260101
(0040,0003) TM 120000
(0040,0006) PN Doe^Jane
(0040,0007) LO Head
(0040,0009) SH S{number}
(fffe,e00d) -
(fffe,e0dd) -
""")
        subprocess.run(["dump2dcm", "-q", "+te", folder + "/dump", f"{folder}/RIS/{number}.wl"], check=True)
    modality = "ScheduledProcedureStepSequence[0].Modality=CT"
    plain = free_port()
    with contextlib.ExitStack() as stack:
        stack.enter_context(program("wlmscpfs", "-dfp", folder, str(plain)))
        wait_for(plain)
        port = tls_proxy(stack, tls, plain) if tls else plain
        wait_for(port)
        answers = json.loads(run("find", f"RIS@127.0.0.1:{port}", "--worklist", "-k", modality, "-k", "PatientID", *ours))
        subprocess.run(["findscu", *theirs, "-W", "-X", "-od", folder + "/findscu", "-aec", "RIS", "-k", modality, "-k",
                        "PatientID", "127.0.0.1", str(port)], check=True)
        check(sorted(a["00100020"]["Value"][0] for a in answers) == ["0", "2"] and
              len(dicom_files(folder + "/findscu")) == 2, f"wlmscpfs has two steps of a CT for us and for findscu {how}")


def interrupted(folder):
    """Ctrl-C is how a receiver without --series ends."""
    port = free_port()
    receiver = subprocess.Popen([isocenter, "receive", folder + "/interrupted", "--port", str(port)],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_for(port)
    receiver.send_signal(signal.SIGINT)
    text = receiver.communicate(timeout=60)[0]
    check(receiver.returncode == 0 and "0 instances" in text, "receive ends with 0 at Ctrl-C")


def pynetdicom(folder, files, tls):
    try:
        from pydicom import dcmread
        from pydicom.dataset import Dataset
        from pynetdicom import AE, build_role, evt
        from pynetdicom.sop_class import (CTImageStorage, ModalityPerformedProcedureStep, StorageCommitmentPushModel,
                                          StudyRootQueryRetrieveInformationModelFind,
                                          StudyRootQueryRetrieveInformationModelGet, Verification)
    except ImportError:
        print("left out: pynetdicom is not installed (pip install pynetdicom)")
        return
    key, certificate, ours = tls if tls else (None, None, [])
    how = "over TLS" if tls else "over TCP"
    folder = os.path.join(folder, "pynet-tls" if tls else "pynet")
    os.makedirs(folder)

    def tls_context(protocol):
        context = ssl.SSLContext(protocol)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(certificate)
        context.load_cert_chain(certificate, key)
        return context

    as_client = {"tls_args": (tls_context(ssl.PROTOCOL_TLS_CLIENT), None)} if tls else {}
    compressed = make_compressed(folder + "/compressed")
    syntaxes = sorted({dcmread(p).file_meta.TransferSyntaxUID for p in compressed})
    our_port = free_port()
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

    def on_find(event):
        answer = Dataset()
        answer.QueryRetrieveLevel, answer.Modality = "SERIES", "CT"
        yield 0xff00, answer

    def on_get(event):
        yield len(compressed)
        for path in compressed:
            yield 0xff00, dcmread(path)

    def report_on(request):
        """Brings the report of a storage commitment over an association of its own."""
        association = user.associate("127.0.0.1", our_port, ae_title="ISOCENTER",
                                     ext_neg=[build_role(StorageCommitmentPushModel, scp_role=True)], **as_client)
        report = Dataset()
        report.TransactionUID = request.TransactionUID
        report.ReferencedSOPSequence = request.ReferencedSOPSequence
        association.send_n_event_report(report, 1, StorageCommitmentPushModel, "1.2.840.10008.1.20.1.1")
        association.release()

    def on_action(event):
        threading.Timer(0.2, report_on, [event.action_information]).start()
        return 0x0000, None

    port = free_port()
    ae = AE(ae_title="PYNET")
    for sop_class in (Verification, ModalityPerformedProcedureStep, StorageCommitmentPushModel,
                      StudyRootQueryRetrieveInformationModelFind, StudyRootQueryRetrieveInformationModelGet):
        ae.add_supported_context(sop_class)
    ae.add_supported_context(CTImageStorage, syntaxes, scu_role=True, scp_role=True)
    user = AE(ae_title="PYNET")
    user.add_requested_context(StorageCommitmentPushModel)
    server = ae.start_server(("127.0.0.1", port), block=False, evt_handlers=[
        (evt.EVT_C_STORE, on_store), (evt.EVT_C_FIND, on_find), (evt.EVT_C_GET, on_get), (evt.EVT_N_ACTION, on_action),
        (evt.EVT_N_CREATE, on_create), (evt.EVT_N_SET, on_set)],
        ssl_context=tls_context(ssl.PROTOCOL_TLS_SERVER) if tls else None)
    bare, peer = f"PYNET@127.0.0.1:{port}", [f"PYNET@127.0.0.1:{port}", *ours]
    check("answered in" in run("echo", *peer), f"pynetdicom answers an echo {how}")
    if tls:
        run("echo", bare, "--timeout", "5", expect=3)
        stranger = certificates(folder, "stranger")
        run("echo", bare, "--timeout", "5", *stranger[2][:4], "--tls-authorities", certificate, expect=3)
    check("3 delivered, 0 found there, 3 committed" in
          run("send", *peer, os.path.dirname(files[0]), "--outbox", folder + "/outbox", "--commit", "--listen", str(our_port),
              "--wait", "60"), f"pynetdicom takes three and commits itself to them {how}")
    check(sorted(d.PixelData for d in stored) == sorted(dcmread(p).PixelData for p in files), "and the same pixels")
    check("4 fetched, 0 failed" in run("fetch", *peer, folder + "/got", "-k", f"StudyInstanceUID={COMPRESSED}.1"),
          f"C-GET brings compressed ones {how}")
    same(folder + "/got", compressed, f"C-GET brings them as pynetdicom has them {how}")

    uid = run("mpps", "start", *peer, "-k", "Modality=CT", "-k", "PatientID=COMMAND1", "-k",
              f"ScheduledStepAttributesSequence[0].StudyInstanceUID={UID}.1").strip()
    step = steps.get(uid, Dataset())
    check(step.get("PerformedProcedureStepStatus") == "IN PROGRESS" and step.get("PatientID") == "COMMAND1" and
          re.fullmatch(r"\d{8}", str(step.get("PerformedProcedureStepStartDate"))), "a step begins")
    check("Modality (0008,0060)" in run("mpps", "start", *peer, "-k",
                                        f"ScheduledStepAttributesSequence[0].StudyInstanceUID={UID}.1", expect=2),
          "what is missing is named")
    check("PerformedProcedureStepEndDate (0040,0250) = '2026-01-01' is no value of DA: a date is eight digits" in
          run("mpps", "complete", *peer, "--uid", uid, "--made", os.path.dirname(files[0]), "-k",
              "PerformedProcedureStepEndDate=2026-01-01", expect=2), "a value that is none is named before it is sent")
    check("no item in PerformedSeriesSequence (0040,0340)" in run("mpps", "complete", *peer, "--uid", uid, expect=2),
          "and so is a series that is missing")
    check(run("mpps", "complete", *peer, "--uid", uid, "--made", os.path.dirname(files[0])).strip() == uid, "a step ends")
    series = step.get("PerformedSeriesSequence", [])
    check(step.get("PerformedProcedureStepStatus") == "COMPLETED" and len(series) == 1 and
          series[0].ProtocolName == "HEAD" and
          sorted(i.ReferencedSOPInstanceUID for i in series[0].ReferencedImageSequence) ==
          [f"{UID}.3.{i + 1}" for i in range(3)], "with the instances that were made")
    check("0x0112, no such SOP instance" in run("mpps", "discontinue", *peer, "--uid", "1.2.3", "--made", files[0],
                                                expect=3), "an unknown step is named")
    server.shutdown()

    port = free_port()
    receiver = subprocess.Popen([isocenter, "receive", folder + "/received", "--port", str(port), "--series", "1", *ours],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_for(port)
    sender = AE(ae_title="PYNET")
    sender.add_requested_context(CTImageStorage, dcmread(files[0]).file_meta.TransferSyntaxUID)
    association = sender.associate("127.0.0.1", port, ae_title="ISOCENTER", **as_client)
    check(association.is_established and all(association.send_c_store(dcmread(p)).Status == 0 for p in files),
          f"receive takes what pynetdicom sends {how}")
    association.release()
    receiver.communicate(timeout=60)
    check(sorted(dcmread(p).PixelData for p in dicom_files(folder + "/received")) ==
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
        worklist(folder, how)
        pynetdicom(folder, files, how)
    interrupted(folder)
if failures:
    sys.exit(f"{len(failures)} failed: " + "; ".join(failures))
