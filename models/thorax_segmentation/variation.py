"""Training patches: pieces of phantom chests, bent, and dressed up until real chests are one case among many.

A phantom has flat tissues and clean edges. What a scan has beyond that is put in at random here: fat between the organs,
vessels and texture in the lungs, gas in the abdomen, arms, table, blankets, a round field of view, blur, noise. Labels
follow the shapes; what is only dressing (vessels in the lung, gas in the bowel) keeps the label of what it lies in, and
tables and blankets are background.
"""

import json
import pathlib

import numpy
import torch
from torch.nn import functional

from network import FROM_PHANTOM, LABELS, SPACING_MM, normalise

BACKGROUND, SOFT, LUNG, HEART, BONE = range(len(LABELS))
SIZE = 64  # voxels along each edge of a patch
# How often a patch is laid around a voxel of each label.
FOCUS = torch.tensor([0.1, 0.2, 0.2, 0.25, 0.25])


class TrainingSet:
    """What make_training_set wrote: `set.json` and, for each chest, int16 HU and uint8 labels, z, y, x."""

    def __init__(self, folder):
        folder = pathlib.Path(folder)
        self.description = json.loads((folder / "set.json").read_text())
        self.shape = (self.description["nz"], self.description["ny"], self.description["nx"])
        self.files = sorted(folder.glob("thorax_*.raw"))
        self.chests = [self._read(f) for f in self.files]
        self.places = [self._places(labels) for _, labels in self.chests]

    def _read(self, file):
        data = numpy.fromfile(file, numpy.uint8)
        n = int(numpy.prod(self.shape))
        hu = torch.from_numpy(data[: 2 * n].view("<i2").reshape(self.shape).copy())
        labels = torch.tensor(FROM_PHANTOM, dtype=torch.uint8)[torch.from_numpy(data[2 * n :]).long()]
        return hu, labels.reshape(self.shape)

    @staticmethod
    def _places(labels):
        """For each label up to 500 of its voxels, as indices."""
        flat = labels.flatten()
        result = []
        for label in range(len(LABELS)):
            at = torch.nonzero(flat == label)[:, 0]
            result.append(at[:: max(1, len(at) // 500)])
        return result


def uniform(low, high):
    return low + (high - low) * float(torch.rand(()))


def chance(p):
    return float(torch.rand(())) < p


def smooth_noise(cells, size=SIZE):
    """A field of unit variance (about) that changes over size / cells voxels."""
    return functional.interpolate(
        torch.randn(1, 1, cells, cells, cells), size=(size,) * 3, mode="trilinear", align_corners=True
    )[0, 0]


def blur(v, sigmas):
    """Gaussian blur; sigma of z, y, x in voxels."""
    v = v[None, None]
    for axis, sigma in enumerate(sigmas):
        if sigma < 0.2:
            continue
        r = int(numpy.ceil(2.5 * sigma))
        t = torch.arange(-r, r + 1, dtype=torch.float32)
        w = torch.exp(-0.5 * (t / sigma) ** 2)
        shape = [1, 1, 1, 1, 1]
        shape[2 + axis] = 2 * r + 1
        pad = [0] * 6
        pad[2 * (2 - axis)] = pad[2 * (2 - axis) + 1] = r
        v = functional.conv3d(functional.pad(v, pad, mode="replicate"), (w / w.sum()).reshape(shape))
    return v[0, 0]


def patch(chests):
    """One training pair: float32 in [0, 1] and int64 labels, SIZE³; random by PyTorch's default generator."""
    k = int(torch.randint(len(chests.chests), ()))
    hu, labels, mm = bent_piece(chests, k)
    hu, labels = extra_lesion(hu, labels)
    hu = dress_soft_tissue(hu, labels)
    hu = dress_lungs(hu, labels)
    hu = dress_bones(hu, labels)
    hu, labels = dress_surroundings(hu, labels, mm)
    return normalise(scan(hu)), labels.long()


def rotation():
    m = torch.eye(3)
    for axis, reach in ((0, 0.25), (1, 0.15), (2, 0.15)):  # around z, y, x
        a = uniform(-reach, reach)
        i, j = [t for t in range(3) if t != axis]
        r = torch.eye(3)
        r[i, i] = r[j, j] = numpy.cos(a)
        r[i, j], r[j, i] = -numpy.sin(a), numpy.sin(a)
        m = m @ r
    return m


def bent_piece(chests, k):
    """A cube around a voxel of a label drawn from FOCUS, turned, stretched and bent. Also gives each voxel's place in
    the patch, mm."""
    hu, labels = chests.chests[k]
    places = chests.places[k]
    label = int(torch.multinomial(FOCUS, 1))
    while len(places[label]) == 0:
        label = int(torch.multinomial(FOCUS, 1))
    at = int(places[label][int(torch.randint(len(places[label]), ()))])
    nz, ny, nx = hu.shape
    centre = torch.tensor([at // (ny * nx), at // nx % ny, at % nx], dtype=torch.float32)
    centre += (torch.rand(3) - 0.5) * 0.6 * SIZE

    t = torch.arange(SIZE, dtype=torch.float32) - (SIZE - 1) / 2
    grid = torch.stack(torch.meshgrid(t, t, t, indexing="ij"), -1)
    scale = torch.tensor([uniform(0.85, 1.25), uniform(0.8, 1.2), uniform(0.8, 1.2)])
    source = grid @ (rotation() * scale).T + centre
    # A bend of up to about 10 mm over 50 mm, and a wobble of 2 mm over 20 mm.
    for cells, reach in ((4, uniform(0.0, 2.5)), (10, uniform(0.0, 0.5))):
        source += reach * torch.stack([smooth_noise(cells) for _ in range(3)], -1)

    extent = torch.tensor([nz, ny, nx], dtype=torch.float32)
    normal = (2 * source + 1) / extent - 1  # grid_sample's coordinates with align_corners=False
    normal = normal.flip(-1)[None]
    v = functional.grid_sample(hu[None, None].float() + 1000.0, normal, mode="bilinear", align_corners=False)[0, 0]
    l = functional.grid_sample(labels[None, None].float(), normal, mode="nearest", align_corners=False)[0, 0]
    return v - 1000.0, l.to(torch.uint8), grid * SPACING_MM


def extra_lesion(hu, labels):
    """Something solid in the lung, less round than the phantom's own lesion."""
    if not chance(0.35):
        return hu, labels
    lung = torch.nonzero(labels == LUNG)
    if len(lung) < 2000:
        return hu, labels
    centre = lung[int(torch.randint(len(lung), ()))].float()
    t = torch.arange(SIZE, dtype=torch.float32)
    d = [((t - c) * SPACING_MM / uniform(0.8, 1.25)) ** 2 for c in centre]
    distance = torch.sqrt(d[0][:, None, None] + d[1][None, :, None] + d[2][None, None, :])
    radius = uniform(4.0, 18.0) * (1.0 + uniform(0.0, 0.25) * smooth_noise(12))
    inside = torch.sigmoid((radius - distance) / 1.2) * (labels == LUNG)
    value = uniform(-80.0, 100.0)
    labels = torch.where(inside > 0.5, torch.tensor(SOFT, dtype=torch.uint8), labels)
    return hu + inside * (value - hu), labels


def dress_soft_tissue(hu, labels):
    soft = (labels == SOFT).float()
    inner = ((labels == SOFT) | (labels == HEART)).float()
    # Fat and muscle in layers and lumps that have nothing to do with the phantom's.
    if chance(0.8):
        field = smooth_noise(6) + 0.7 * smooth_noise(14)
        fat = torch.sigmoid(6.0 * (field - uniform(-0.3, 1.5))) * soft
        hu = hu + fat * (uniform(-125.0, -70.0) - hu) * (hu > -300)
    if chance(0.6):
        hu = hu + inner * uniform(5.0, 40.0) * smooth_noise(8)
    if chance(0.5):  # one tissue's value moves
        hu = hu + (labels == HEART).float() * uniform(-60.0, 80.0)
    # Gas in stomach, bowel and oesophagus.
    if chance(0.2):
        field = smooth_noise(7)
        gas = torch.sigmoid(8.0 * (field - uniform(1.3, 2.0))) * (blur(soft, (1.5,) * 3) > 0.97)
        hu = hu + gas * (uniform(-1000.0, -850.0) - hu)
    # Calcium and contrast medium: bright, and not bone.
    if chance(0.15):
        field = smooth_noise(12)
        bright = torch.sigmoid(8.0 * (field - 2.2)) * (blur(soft, (1.0,) * 3) > 0.9)
        hu = hu + bright * uniform(50.0, 350.0)
    return hu


def dress_lungs(hu, labels):
    lung = (labels == LUNG).float()
    if float(lung.sum()) < 100:
        return hu
    inside = lung * (hu < -400)
    hu = hu + inside * uniform(0.0, 80.0) * smooth_noise(5)
    hu = hu + inside * uniform(-60.0, 120.0) * torch.linspace(-1, 1, SIZE)[None, :, None]
    # Vessels run where two smooth fields are both zero: thin, winding, branching in places.
    for cells in (7, 11, 16):
        if not chance(0.8):
            continue
        a, b = smooth_noise(cells), smooth_noise(cells)
        width = uniform(0.06, 0.3)
        vessel = torch.exp(-((a * a + b * b) / (width * width))) * lung
        hu = hu + vessel * (uniform(-500.0, 60.0) - hu).clamp(min=0.0)
    if chance(0.4):  # fissures and strands
        sheet = torch.exp(-((smooth_noise(4) / uniform(0.03, 0.08)) ** 2)) * lung
        hu = hu + sheet * uniform(20.0, 250.0)
    texture = torch.randn(SIZE, SIZE, SIZE)
    return hu + lung * uniform(0.0, 60.0) * blur(texture, (0.7,) * 3) * 3.0


def dress_bones(hu, labels):
    bone = (labels == BONE).float()
    factor = uniform(0.55, 1.25) * (1.0 + uniform(0.0, 0.3) * smooth_noise(16))
    return hu + bone * (hu * factor - hu).clamp(-600.0, 500.0) * (hu > 100)


def dress_surroundings(hu, labels, mm):
    z, y, x = mm[..., 0], mm[..., 1], mm[..., 2]
    outside = labels == BACKGROUND
    if chance(0.3):  # an arm, or a raised shoulder, beside the chest
        side, slope = (1.0 if chance(0.5) else -1.0), uniform(-0.6, 0.6)
        away = torch.sqrt((x - side * uniform(60.0, 110.0) - slope * z) ** 2 + (y - uniform(-60.0, 60.0)) ** 2)
        skin, shaft = uniform(32.0, 60.0), uniform(8.0, 22.0)
        arm = (away < skin) & outside
        core = (away < shaft) & outside
        hu = torch.where(arm, torch.where(away < skin - uniform(4, 15), uniform(30, 70), uniform(-120, -80)), hu)
        shell = uniform(3.0, 7.0)
        hu = torch.where(core, torch.where(away > shaft - shell, uniform(300, 900), uniform(0, 250)), hu)
        labels = torch.where(arm, torch.tensor(SOFT, dtype=torch.uint8), labels)
        labels = torch.where(core, torch.tensor(BONE, dtype=torch.uint8), labels)
        outside = labels == BACKGROUND
    if chance(0.5):  # the table: shells and what is between them
        body = (labels != BACKGROUND).any(0).any(1)
        back = float(y[0, :, 0][body][-1]) if bool(body.any()) else 0.0
        depth = y - back - uniform(-10.0, 15.0) + uniform(0.0, 0.0015) * (x - uniform(-80.0, 80.0)) ** 2
        thick, wall = uniform(15.0, 60.0), uniform(2.0, 7.0)
        filling = outside & (depth > 0) & (depth < thick)
        shell = filling & ((depth < wall) | (depth > thick - wall))
        hu = torch.where(filling, torch.tensor(uniform(-1000.0, -880.0)), hu)
        hu = torch.where(shell, torch.tensor(uniform(-850.0, 300.0)), hu)
    if chance(0.5):  # clothes, blankets, cushions, tubes
        sheet = torch.exp(-((smooth_noise(7) / uniform(0.05, 0.2)) ** 2)) * outside
        hu = hu + sheet * uniform(50.0, 600.0)
    if chance(0.3):
        cushion = torch.sigmoid(6.0 * (smooth_noise(5) - uniform(0.3, 1.5))) * outside
        hu = hu + cushion * uniform(20.0, 150.0)
    if chance(0.25):  # a round field of view
        away = torch.sqrt((x - uniform(-60.0, 60.0)) ** 2 + (y - uniform(-60.0, 60.0)) ** 2)
        beyond = away > uniform(90.0, 140.0)
        hu = torch.where(beyond, torch.tensor(-1000.0), hu)
        labels = torch.where(beyond, torch.tensor(BACKGROUND, dtype=torch.uint8), labels)
    return hu, labels


def scan(hu):
    """Blur or edge enhancement, calibration, noise white and correlated."""
    hu = blur(hu, [uniform(0.0, 1.0), *[uniform(0.0, 0.7)] * 2])
    if chance(0.3):
        hu = hu + uniform(0.2, 0.8) * (hu - blur(hu, (0.8,) * 3))
    hu = hu * uniform(0.96, 1.04) + uniform(-20.0, 20.0)
    noise = torch.randn(hu.shape)
    hu = hu + uniform(0.0, 45.0) * noise
    if chance(0.5):
        hu = hu + uniform(0.0, 150.0) * blur(torch.randn(hu.shape), (0.9, 0.9, 0.9))
    return hu
