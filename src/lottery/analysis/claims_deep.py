"""The paper's claims about VGG-19 and ResNet-20 (its "Resnet-18") on CIFAR-10 (section 4, Figures 7 and 8).

All accuracies are those at the end of training. All convolutions are pruned together unless a claim says otherwise.
"""

from lottery.analysis.claim import AS_ACCURATE, BETTER, WORSE, Claim, Range, Subject
from lottery.analysis.experiment import FINAL
from lottery.analysis.measures import Accuracy, Between, DownTo, Gain
from lottery.arms.places import DENSE

CIFAR = "cifar-10"
VGG_FAST = Subject("vgg-19", CIFAR, recipe={"learning_rate": 0.1}, warmup=False, scope="global")
VGG_SLOW = Subject("vgg-19", CIFAR, recipe={"learning_rate": 0.01}, warmup=False, scope="global")
VGG_WARMUP = Subject("vgg-19", CIFAR, recipe={"learning_rate": 0.1}, warmup=True, scope="global")
VGG_WARMUP_LAYERWISE = Subject("vgg-19", CIFAR, recipe={"learning_rate": 0.1}, warmup=True)
RESNET_FAST = Subject("resnet-20", CIFAR, recipe={"learning_rate": 0.1}, scope="global")
RESNET_FAST_COLD = Subject("resnet-20", CIFAR, recipe={"learning_rate": 0.1}, warmup=False, scope="global")
RESNET_SLOW = Subject("resnet-20", CIFAR, recipe={"learning_rate": 0.01}, warmup=False, scope="global")
RESNET_WARMUP = Subject("resnet-20", CIFAR, recipe={"learning_rate": 0.03}, warmup=True, scope="global")
"""The settings of Figures 7 and 8, and one of Figures 38 and 39."""

NO_BETTER = Range(below=0.2)
NO_BETTER_NOTE = "no more accurate: by less than 0.2 points, mean over the sizes that both arms trained"
WITHIN_A_POINT = "holds within 1 point of the paper's number"

DEEP = [
    Claim(
        "V1a",
        "At rate 0.1 without warmup tickets from 41.0% to 1.5% are no more accurate than reinitialised",
        "s. 4, Fig. 7",
        Gain("iterative", Between(0.415, 0.014), column=FINAL, versus="iterative-reinit"),
        NO_BETTER,
        note=NO_BETTER_NOTE,
        subject=VGG_FAST,
    ),
    Claim(
        "V1b",
        "At rate 0.1 without warmup there are no winning tickets: those from 16.8% to 1.5% are less accurate than the"
        " dense network",
        "s. 4, Fig. 7",
        Gain("iterative", Between(0.17, 0.014), column=FINAL),
        WORSE,
        note="mean over the sizes trained; of larger ones the paper says that even reinitialised they match",
        subject=VGG_FAST,
    ),
    Claim(
        "V2",
        "At rate 0.01 tickets of at least 3.5% are within 1 point of the dense network",
        "s. 4, Fig. 7",
        Gain("iterative", DownTo(0.035), column=FINAL),
        Range(above=-1),
        note="at the size where the mean gain is least",
        subject=VGG_SLOW,
    ),
    Claim(
        "V3",
        "With warmup the dense network at rate 0.1 is more accurate than without",
        "s. 4, Fig. 7",
        Gain(DENSE, 1, column=FINAL, elsewhere=True),
        BETTER,
        paper=1.0,
        subject=VGG_WARMUP,
        versus=VGG_FAST,
    ),
    Claim(
        "V4",
        "With warmup the tickets of at least 1.5% are more accurate than the dense network",
        "s. 4, s. 5, Fig. 7",
        Gain("iterative", 0.015, column=FINAL),
        BETTER,
        note="at the smallest of these sizes",
        subject=VGG_WARMUP,
    ),
    Claim(
        "V5",
        "With warmup, each layer pruned by its own share, the tickets of at least 6.9% are more accurate than the dense"
        " network",
        "App. I.1",
        Gain("iterative", 0.069, column=FINAL),
        BETTER,
        note="at the smallest of these sizes",
        subject=VGG_WARMUP_LAYERWISE,
    ),
    Claim(
        "V6",
        "Reinitialised, tickets of at least 20% are as accurate as the dense network",
        "s. 5, Fig. 7",
        Gain("iterative-reinit", DownTo(0.2), column=FINAL),
        AS_ACCURATE,
        note="as accurate: within 0.2 points, at the size where the mean gain is least; judged of each setting",
        subject=Subject("vgg-19", CIFAR, scope="global"),
    ),
    Claim(
        "R1",
        "At rate 0.01 the tickets from 41.7% to 21.9%, the best, have an accuracy of 89.5%",
        "s. 4, Fig. 8",
        Accuracy("iterative", Between(0.42, 0.218)),
        Range(above=88.5, below=90.5),
        paper=89.5,
        needs_iterations=30_000,
        note=f"{WITHIN_A_POINT}; mean over the sizes trained",
        subject=RESNET_SLOW,
    ),
    Claim(
        "R2",
        "At rate 0.1 the dense network has an accuracy of 90.5%",
        "s. 4, Fig. 8",
        Accuracy(DENSE, 1),
        Range(above=89.5, below=91.5),
        paper=90.5,
        needs_iterations=30_000,
        note=WITHIN_A_POINT,
        subject=RESNET_FAST_COLD,
    ),
    Claim(
        "R3",
        "At rate 0.03 with warmup the 27.1% ticket has an accuracy of 90.5%",
        "s. 4, Fig. 8",
        Accuracy("iterative", 0.271),
        Range(above=89.5, below=91.5),
        paper=90.5,
        needs_iterations=30_000,
        note=WITHIN_A_POINT,
        subject=RESNET_WARMUP,
    ),
    Claim(
        "R4",
        "At rate 0.03 with warmup tickets of at least 11.8% are as accurate as the dense network",
        "s. 4, Fig. 8",
        Gain("iterative", 0.118, column=FINAL),
        AS_ACCURATE,
        note="as accurate: within 0.2 points, at the smallest of these sizes",
        subject=RESNET_WARMUP,
    ),
    Claim(
        "R5a",
        "At rate 0.1, with warmup or without, there are no winning tickets: those from 41.7% to 11.8% are less accurate"
        " than the dense network",
        "s. 4, Fig. 8",
        Gain("iterative", Between(0.42, 0.117), column=FINAL),
        WORSE,
        note="mean over the sizes trained",
        subject=RESNET_FAST,
    ),
    Claim(
        "R5b",
        "At rate 0.1 without warmup tickets from 41.7% to 11.8% are no more accurate than reinitialised",
        "Fig. 8, cf. arXiv 1912.05671",
        Gain("iterative", Between(0.42, 0.117), column=FINAL, versus="iterative-reinit"),
        NO_BETTER,
        note=NO_BETTER_NOTE,
        subject=RESNET_FAST_COLD,
    ),
]
