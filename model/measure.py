"""How good answers are, on pictures of cameras that were not trained on."""
import numpy
from sklearn.metrics import roc_auc_score


def recall_at(answers, failed, false_alarms):
    """The share of failures found where so many fine prints are called failed."""
    threshold = numpy.quantile(answers[~failed], 1 - false_alarms, method="higher")
    return float((answers[failed] > threshold).mean())


def carried(answers, failed, fold, false_alarms):
    """False alarms and recall in each fold, by the threshold that the other folds set."""
    wrong, right = [], []
    for n in range(fold.max() + 1):
        here, there = fold == n, fold != n
        if not (here & ~failed).any() or not (here & failed).any():
            continue
        threshold = numpy.quantile(answers[there & ~failed], 1 - false_alarms, method="higher")
        wrong.append((answers[here & ~failed] > threshold).sum())
        right.append((answers[here & failed] > threshold).sum())
    return float(sum(wrong) / (~failed).sum()), float(sum(right) / failed.sum())


def interval(answers, failed, cameras, measure, rounds=400):
    """95 % of the values when cameras are drawn again."""
    random = numpy.random.default_rng(1)
    names = sorted(set(cameras))
    members = {name: [] for name in names}
    for n, camera in enumerate(cameras):
        members[camera].append(n)
    values = []
    for _ in range(rounds):
        drawn = numpy.concatenate([members[names[n]] for n in random.integers(0, len(names), len(names))])
        if failed[drawn].any() and (~failed[drawn]).any():
            values.append(measure(answers[drawn], failed[drawn]))
    return [float(numpy.quantile(values, q)) for q in (0.025, 0.975)]


def summary(answers, failed, fold, cameras):
    measures = {
        "auroc": lambda a, f: float(roc_auc_score(f, a)),
        "recall at 1 % false alarms": lambda a, f: recall_at(a, f, 0.01),
        "recall at 5 % false alarms": lambda a, f: recall_at(a, f, 0.05),
    }
    out = {name: {"value": measure(answers, failed), "interval": interval(answers, failed, cameras, measure)}
           for name, measure in measures.items()}
    wrong, right = carried(answers, failed, fold, 0.01)
    out["threshold of 1 % from other folds"] = {"false alarms": wrong, "recall": right}
    out["failed"], out["fine"], out["cameras"] = int(failed.sum()), int((~failed).sum()), len(set(cameras))
    return out


def report(answers, failed, fold, tested, cameras, kinds):
    """Of the tested pictures, and with those of presentations."""
    def of(mask):
        return summary(answers[mask], failed[mask], fold[mask], [c for c, m in zip(cameras, mask) if m])

    wf = tested | numpy.array([kind == "presentation" for kind in kinds])
    return {"printing": of(tested), "printing and presentations": of(wf)}
