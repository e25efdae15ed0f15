"""The known datasets. A row reaches jobs as text, so a further one, or another address, repeats none."""

from lottery.datasets.sources import Archive, RawFile, Source
from lottery.errors import LotteryError


def _idx_files(mirrors: tuple[str, ...], *sha256: str) -> tuple[RawFile, ...]:
    """The four files of MNIST and its relatives, whose sizes are the same."""
    sizes = {
        "train-images-idx3-ubyte.gz": 47_040_016,
        "train-labels-idx1-ubyte.gz": 60_008,
        "t10k-images-idx3-ubyte.gz": 7_840_016,
        "t10k-labels-idx1-ubyte.gz": 10_008,
    }
    return tuple(
        RawFile(name, checksum, size, tuple(mirror + name for mirror in mirrors), gzipped=True)
        for (name, size), checksum in zip(sizes.items(), sha256, strict=True)
    )


CIFAR_FOLDERS = ("cifar-10-batches-bin", "cifar-10-batches-py")
"""Where the archives of CIFAR-10's binary version and of that for Python are unpacked to."""

# The hosts of the IDX files: that of torchvision 0.29 (`MNIST.mirrors`), a copy that many public scripts use, and for
# Fashion-MNIST that of Keras. Checksums say whether what they give is right.
SOURCES = {
    "mnist": Source(
        name="mnist",
        format="idx",
        classes=10,
        training_images=60_000,
        test_images=10_000,
        image_shape=(28, 28),
        other_folders=("MNIST/raw",),
        files=_idx_files(
            ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"),
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    ),
    "fashion-mnist": Source(
        name="fashion-mnist",
        format="idx",
        classes=10,
        training_images=60_000,
        test_images=10_000,
        image_shape=(28, 28),
        other_folders=("FashionMNIST/raw",),
        files=_idx_files(
            ("https://storage.googleapis.com/tensorflow/tf-keras-datasets/",),
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
    ),
    "cifar-10": Source(
        name="cifar-10",
        format="cifar",
        classes=10,
        training_images=50_000,
        test_images=10_000,
        image_shape=(3, 32, 32),
        other_folders=(".", *(f"{above}{each}" for each in CIFAR_FOLDERS for above in ("cifar-10/", ""))),
        archive=Archive(
            "cifar-10-binary.tar.gz",
            170_052_171,
            ("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
            CIFAR_FOLDERS[0],
        ),
        files=tuple(
            RawFile(f"{name}.bin.gz", sha256, 30_730_000, gzipped=True, pickled=name)
            for name, sha256 in {
                "data_batch_1": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
                "data_batch_2": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
                "data_batch_3": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
                "data_batch_4": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
                "data_batch_5": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
                "test_batch": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
            }.items()
        ),
    ),
}


def source(dataset: str) -> Source:
    """The dataset of this name. Raises LotteryError for an unknown one."""
    if dataset not in SOURCES:
        raise LotteryError(f"dataset: unknown dataset {dataset!r}; known: {', '.join(sorted(SOURCES))}")
    return SOURCES[dataset]


CLASS_NAMES = {
    "fashion-mnist": (
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
    "cifar-10": ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
}
"""What the labels 0, 1, ... of a dataset mean, in its authors' words; of other datasets they are names themselves."""


def class_names(data: Source) -> list[str]:
    """The names of a dataset's classes, in the order of its labels."""
    return list(CLASS_NAMES.get(data.name, map(str, range(data.classes))))
