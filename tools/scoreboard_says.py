"""What the stored scores of the Scoreboard page say, in sentences: no number in them is typed."""

from tools.scoreboard_scores import (
    ATTACKS,
    BOOTSTRAP,
    COOL_FOREST,
    FOREST,
    GAN,
    GROUPS,
    LINES,
    METRICS,
    SIGNIFICANT,
    SOURCE_GAN,
    TAIL,
    below,
    both,
    copy_of,
    datasets,
    difference,
    false_alarms,
    leaks,
    least_dcr,
    lines_of,
    listing,
    mean,
    names,
    number,
    off,
    outside,
    published,
    ranking,
    shown,
    span,
    w1,
)


def sentences(protocol, tables):
    """Return all that is to be said, in order."""
    return [
        sentence
        for part in (
            copies(tables),
            second_line(tables),
            closest(tables),
            farther(tables),
            discreet(tables),
            cooled(tables),
            gan(tables),
            delusion(tables),
            tail_says(tables),
            away(tables),
            protocol_says(protocol),
            copy_says(protocol),
        )
        for sentence in part
    ]


def copies(tables):
    """Say how well an attack finds the training rows of generators that copy."""
    for name in dict.fromkeys(
        line["generator"] for table in tables for line in table["generators"] if line["copies_rows"]
    ):
        lines = lines_of(tables, name)
        yield (
            f"{name} copies rows: the distance attack tells its training rows from others with an "
            f"AUC of {span([mean(line, 'distance_attack') for _, line in lines])}, and its "
            f"two-sample AUC is {span([mean(line, 'two_sample_auc') for _, line in lines])}."
        )


def second_line(tables):
    """Say what the bootstrap would be marked by either line of real rows."""
    metrics = ("column_ks", "ks", "association")
    found = [
        (mean(line, metric), *(table["metrics"][metric][name][1] for name in LINES))
        for table, line in lines_of(tables, BOOTSTRAP)
        for metric in metrics
    ]
    if found:
        yield (
            f"{BOOTSTRAP} draws from its training half and nothing else. Of its {len(found)} "
            f"scores for {listing([METRICS[metric] for metric in metrics])}, "
            f"{sum(value > fresh for value, fresh, _ in found)} lie above the band of fresh rows, "
            f"and {sum(value > redrawn for value, _, redrawn in found)} above that of redrawn "
            "halves, which allows for the noise of the training rows."
        )


def closest(tables):
    """Say which model is closest to real rows, table by table."""
    found = [(table, *ranking(table, "two_sample_auc")) for table in tables]
    inside = sum(line["scores"]["two_sample_auc"]["verdict"] == "within" for _, line, _ in found)
    parts = (
        named(table, line) + (f" (not told from it: {listing(names(level))})" if level else "")
        for table, line, level in found
    )
    yield (
        "Of the generators that copy no rows, these have the two-sample AUC closest to one half: "
        f"{listing(parts)}. It lies within the noise band on {inside} of {len(tables)} tables."
    )


def farther(tables):
    """Say how often models are worse than a redrawn half, split by split."""
    parts = []
    for metric in GROUPS["Fidelity"]:
        pairs = [
            difference(line, {"scores": {metric: half}}, metric, table).low > 0
            for table in tables
            for half in [{"values": table["metrics"][metric]["redrawn_values"]}]
            for line in table["generators"]
            if not line["copies_rows"]
        ]
        parts.append(f"{METRICS[metric]} in {sum(pairs)}")
    yield (
        "Split by split, and with a 95 % interval above 0, a model is worse than a redrawn half by "
        f"{listing(parts)} of {len(pairs)} pairs of a model and a table."
    )


def discreet(tables):
    """Say which model is closest to real rows with no mark against its privacy."""
    found = {}
    for table in tables:
        quiet = [
            line
            for line in table["generators"]
            if not line["copies_rows"] and not leaks(line, GROUPS["Privacy"])
        ]
        found[table["table"]] = (table, min(quiet, key=off, default=None))
    named_ones = [named(*pair) for pair in found.values() if pair[1]]
    changed = sum(line is not ranking(table, "two_sample_auc")[0] for table, line in found.values())
    if named_ones:
        yield (
            f"Of those with no ▼ in a privacy column, these are closest: {listing(named_ones)}. On "
            f"{changed} of {len(tables)} tables that is another generator than before."
        )


def named(table, line):
    """Return a generator, its table, and its two-sample AUC as text."""
    return f"{line['generator']} on {table['table']}, {number(mean(line, 'two_sample_auc'))}"


def cooled(tables):
    """Say what less noise does to the fidelity of the forests."""
    pairs = both(tables, FOREST, COOL_FOREST)
    if pairs:
        table, plain, cool = max(pairs, key=lambda pair: off(pair[2]) - off(pair[1]))
        yield (
            f"Less noise than the model asks for (“auto temperature”) moves the two-sample AUC of "
            f"{FOREST} away from one half on {counted(pairs)}, most on {table['table']}: from "
            f"{number(mean(plain, 'two_sample_auc'))} to {number(mean(cool, 'two_sample_auc'))}."
        )


def gan(tables):
    """Compare our GAN with a network after the source's."""
    pairs = both(tables, GAN, SOURCE_GAN)
    if pairs:
        parts = (
            f"{table['table']} {number(mean(ours, 'two_sample_auc'))} against "
            f"{number(mean(theirs, 'two_sample_auc'))}"
            for table, ours, theirs in pairs
        )
        yield (
            f"*{GAN}*, ours, has a two-sample AUC closer to one half than *{SOURCE_GAN}* on "
            f"{counted(pairs)}: {listing(parts)}. The latter is the source's network, not its "
            "procedure: see below."
        )


def counted(pairs):
    """Return on how many tables the second generator is farther from one half than the first."""
    found = [difference(far, near, "two_sample_auc", table) for table, near, far in pairs]
    return (
        f"{sum(gap.mean > 0 for gap in found)} of {len(pairs)} tables (the 95 % interval of the "
        f"paired difference says so on {sum(gap.low > 0 for gap in found)})"
    )


def delusion(tables):
    """Count the tables that pass the distance to the closest record and fail an attack."""
    total, found = 0, []
    for table in tables:
        for line in table["generators"]:
            total += 1
            passed = line["scores"]["dcr_ratio"]["verdict"] in ("within", "better")
            for attack in ATTACKS:
                if passed and leaks(line, [attack]):
                    beyond = outside(mean(line, attack), table["metrics"][attack]["band"])
                    found.append((beyond, attack, table, line))
    pairs = {(table["table"], line["generator"]) for _, _, table, line in found}
    text = (
        f"DCR is not privacy: of {total} pairs of a generator and a table, {len(pairs)} pass the "
        "DCR ratio while an attack tells training rows from others better than noise allows"
    )
    if found:
        _, attack, table, line = max(found, key=lambda leak: leak[0])
        text += (
            f", most of all {line['generator']} on {table['table']}: DCR ratio "
            f"{number(mean(line, 'dcr_ratio'))}, {METRICS[attack]} {number(mean(line, attack))}"
        )
    yield f"{text}."


def tail_says(tables):
    """Say what the tail test finds, and what it alone finds."""
    others = [metric for metric in GROUPS["Privacy"] if metric != TAIL]
    pairs = [
        (table, line) for table in tables for line in table["generators"] if not line["copies_rows"]
    ]
    found = [(table, line) for table, line in pairs if leaks(line, [TAIL])]
    alone = [(table, line) for table, line in found if not leaks(line, others)]
    by_chance = sum(false_alarms(line["splits"]) for _, line in pairs)
    text = (
        f"The tail test marks {len(found)} of {len(pairs)} pairs of a model and a table, where "
        f"chance alone would mark {number(by_chance, 1)}. {len(alone)} of them have no other ▼ in "
        "a privacy column"
    )
    parts = (
        f"{line['generator']} on {table['table']} (p below {SIGNIFICANT} in {below(line)} of "
        f"{line['splits']} splits)"
        for table, line in alone
    )
    yield f"{text}: {listing(parts)}." if alone else f"{text}."


def away(tables):
    """Say who keeps its rows away from the training rows, which gives these away too."""
    parts = [
        f"{line['generator']} on {table['table']} ({METRICS[metric]} {number(mean(line, metric))})"
        for table in tables
        for line in table["generators"]
        for metric in GROUPS["Privacy"]
        if table["metrics"][metric]["better"] == "half"
        and mean(line, metric) < table["metrics"][metric]["band"][0]
    ]
    text = "Less than one half is a leak in the other direction: training rows are avoided. "
    if parts:
        yield f"{text}So it is with {listing(parts)}."
    else:
        yield f"{text}No score of a share or an attack lies below its band."


def protocol_says(protocol):
    """Compare our best generator that copies no rows with the best published one."""
    sets = datasets(protocol)
    others = published(protocol)
    ours = [
        line
        for line in protocol["rows"]
        if not line["published"] and not line["copies_rows"] and least_dcr(line, sets) >= 0.9
    ]
    if not ours or not others:
        return
    goal = {d: min(others, key=lambda line: line["scores"][d]["w1_test"]) for d in sets}
    level = {line["generator"]: sum(w1(line, d) <= w1(goal[d], d) for d in sets) for line in ours}
    line = max(
        ours,
        key=lambda o: (level[o["generator"]], -max(w1(o, d) / w1(goal[d], d) for d in sets)),
    )
    parts = (
        f"{shown(d)} {number(w1(line, d))} against {number(w1(goal[d], d))} of "
        f"{goal[d]['generator']}"
        for d in sets
    )
    yield (
        f"Under the published protocol, {line['generator']} is at or below the best published W1 "
        f"on {level[line['generator']]} of {len(sets)} tables ({listing(parts)}), with a DCR ratio "
        f"of at least {number(least_dcr(line, sets))}. Mind what W1 rewards: less spread lowers it "
        "between finite samples."
    )


def copy_says(protocol):
    """Say where a mere copy of the training rows would stand."""
    line, others = copy_of(protocol), published(protocol)
    parts = (
        f"{sum(w1(line, d) < w1(o, d) for o in others)} on {shown(d)}" for d in datasets(protocol)
    )
    yield (
        f"A mere copy of the training rows has a lower W1 than so many of the {len(others)} "
        f"published generators: {listing(parts)}. W1, coverage and F1 do not see copying; the "
        "privacy columns are there for that."
    )
