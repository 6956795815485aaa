#!/usr/bin/env python3
"""Writes the video objects under tests/dicom/data/video, expected_video.txt, what ffmpeg decodes from them, and their
streams as seeds for the fuzzer.

    pip install pydicom numpy
    python3 tests/dicom/make_videos.py        (with the ffmpeg of Debian 12: x264 and x265)

Frame t of each has red = 40 + 2 (x + t), green = 40 + 3 y, blue = 200 - 2 (x + t), and a square of 12 x 12 pixels at
(2 t, 8): red 220, green 60, blue 40. 64 x 48 pixels, ten frames at 25 Hz.
"""
import pathlib
import subprocess
import tempfile

import numpy as np
import pydicom.encaps

from make_samples import DATA, new_object, pixels

SEEDS = DATA.parent.parent / "fuzz" / "dicom_video_corpus"
WIDTH, HEIGHT, FRAMES = 64, 48, 10
WEIGHTS = {"bt709": (0.2126, 0.0722), "smpte170m": (0.299, 0.114)}
X264 = "keyint=6:qp=10:threads=1:bframes="
X265 = "keyint=6:qp=10:bframes=3:pools=none:frame-threads=1:log-level=none:info=0:hash=1"


def pattern(t):
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(float)
    rgb = np.stack([40 + 2 * (x + t), 40 + 3 * y, 200 - 2 * (x + t)], -1)
    rgb[8:20, 2 * t:2 * t + 12] = 220, 60, 40
    return rgb


def yuv(rgb, matrix, full, bits):
    """Planes of 4:2:0: chroma on even columns, between two rows."""
    red, blue = WEIGHTS[matrix]
    luma = rgb @ [red, 1 - red - blue, blue]
    cb, cr = (rgb[..., 2] - luma) / (2 * (1 - blue)), (rgb[..., 0] - luma) / (2 * (1 - red))
    left = [np.concatenate([c[:, :1], c[:, :-1]], 1) for c in (cb, cr)]
    right = [np.concatenate([c[:, 1:], c[:, -1:]], 1) for c in (cb, cr)]
    cb, cr = (0.25 * p + 0.5 * c + 0.25 * n for p, c, n in zip(left, (cb, cr), right))
    cb, cr = (0.5 * (c[0::2, 0::2] + c[1::2, 0::2]) for c in (cb, cr))
    scale, black, chroma = (255, 0, 255) if full else (219, 16, 224)
    planes = [black + luma * scale / 255, 128 + cb * chroma / 255, 128 + cr * chroma / 255]
    dtype = np.uint8 if bits == 8 else "<u2"
    return b"".join(np.clip(np.round(p * 2 ** (bits - 8)), 0, 2 ** bits - 1).astype(dtype).tobytes() for p in planes)


def encode(folder, codec, container, matrix=None, full=False, bits=8, x264="0", x265=""):
    raw, out = folder / "raw.yuv", folder / f"video.{container}"
    raw.write_bytes(b"".join(yuv(pattern(t), matrix or "smpte170m", full, bits) for t in range(FRAMES)))
    fmt = "yuv420p" if bits == 8 else "yuv420p10le"
    colour = ["-colorspace", matrix, "-color_primaries", matrix, "-color_trc", matrix] if matrix else []
    colour += ["-color_range", "pc" if full else "tv"] if matrix else []
    params = (["-c:v", "libx264", "-profile:v", "high", "-x264-params", X264 + x264] if codec == "h264" else
              ["-c:v", "libx265", "-x265-params", X265 + x265])
    bitexact = ["-fflags", "+bitexact", "-flags:v", "+bitexact"]
    brand = ["-tag:v", "hvc1"] if codec == "hevc" and container == "mp4" else []
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", fmt, "-s", f"{WIDTH}x{HEIGHT}", "-r",
                    "25", "-i", raw, *params, *colour, *brand, *bitexact, out], check=True)
    return out


def decoded_sums(video, fmt):
    """CRC-32 of each frame's planes as ffmpeg decodes them."""
    text = subprocess.run(["ffmpeg", "-v", "error", "-i", video, "-pix_fmt", fmt, "-f", "framehash", "-hash", "crc32",
                           "-"], check=True, capture_output=True, text=True).stdout
    return [line.split(",")[-1].strip() for line in text.splitlines() if not line.startswith("#")]


def wrap(video, number, syntax, sop_class, bits=8, fragments=1):
    stream = video.read_bytes()
    stream += b"\0" * (len(stream) % 2)
    ds = new_object(sop_class, "ES", number)
    ds.file_meta.TransferSyntaxUID = syntax
    pixels(ds, HEIGHT, WIDTH, 3, bits, b"")
    step = -(-len(stream) // fragments // 2) * 2
    pieces = [stream[i:i + step] for i in range(0, len(stream), step)]
    # One stream for all frames: an empty offset table (PS3.5 A.4), and a fragment or more.
    ds.PixelData = (b"\xfe\xff\x00\xe0\0\0\0\0" + b"".join(pydicom.encaps.itemize_fragment(p) for p in pieces)
                    + b"\xfe\xff\xdd\xe0\0\0\0\0")
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    if bits > 8:
        ds.BitsAllocated = 16
    ds.PhotometricInterpretation, ds.NumberOfFrames, ds.FrameTime = "YBR_PARTIAL_420", FRAMES, 40
    ds.FrameIncrementPointer = 0x00181063
    ds.LossyImageCompression = "01"
    return ds


def main():
    root, endoscopy = "1.2.840.10008.1.2.4.", "1.2.840.10008.5.1.4.1.1.77.1.1.1"
    microscopy, photography = "1.2.840.10008.5.1.4.1.1.77.1.2.1", "1.2.840.10008.5.1.4.1.1.77.1.4.1"
    made = {
        "h264_mp4": ("102", endoscopy, dict(codec="h264", container="mp4", matrix="bt709")),
        "h264_ts_fragments": ("104.1", microscopy, dict(codec="h264", container="ts", matrix="smpte170m")),
        "h264_bytes_full_range": ("103", photography,
                                  dict(codec="h264", container="264", matrix="smpte170m", full=True)),
        "hevc_mp4": ("107", endoscopy, dict(codec="hevc", container="mp4")),
        "hevc_ts_10bit": ("108", endoscopy, dict(codec="hevc", container="ts", matrix="bt709", bits=10)),
        "hevc_wpp_slices": ("107", endoscopy, dict(codec="hevc", container="mp4", x265=":pools=1:wpp=1:slices=2:ctu=16")),
        "h264_b_slices": ("102", endoscopy, dict(codec="h264", container="mp4", x264="2")),
        "h264_interlaced": ("102", endoscopy, dict(codec="h264", container="264", x264="0:interlaced=1")),
    }
    (DATA / "video").mkdir(exist_ok=True)
    expected = []
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, (syntax, sop_class, how)) in enumerate(made.items()):
            bits, seed = how.get("bits", 8), SEEDS / f"{name}.{how['container']}"
            video = encode(pathlib.Path(folder), **how)
            ds = wrap(video, 80 + number, root + syntax, sop_class, bits, 3 if "fragments" in name else 1)
            ds.save_as(DATA / "video" / f"{name}.dcm", enforce_file_format=True)
            if name in ("h264_b_slices", "h264_interlaced", "hevc_wpp_slices"):
                continue
            seed.write_bytes(video.read_bytes())
            fmt = "yuv420p10le" if bits == 10 else "yuvj420p" if how.get("full") else "yuv420p"
            for t, crc in enumerate(decoded_sums(video, fmt)):
                expected.append(f"video/{name}.dcm {t} {crc}\n")
    (DATA / "expected_video.txt").write_text("".join(expected))


if __name__ == "__main__":
    main()
