"""The configuration is closed: every file parses, every slip of the pen gets its sentence."""

from pathlib import Path

import pytest
import yaml

from mutualctr.cohort import cohort_name, groups_of
from mutualctr.config import RunConfig, ScoreConfig
from mutualctr.errors import ConfigError
from mutualctr.monitoring.config import MonitorConfig
from mutualctr.study.config import StudyConfig
from mutualctr.study.tune import TuneConfig
from stack.pipeline import check_config, check_content

ROOT = Path(__file__).resolve().parent.parent
RECORDS = {
    "configs/study": StudyConfig,
    "configs/tune": TuneConfig,
    "configs/score": ScoreConfig,
    "configs/monitor.yaml": MonitorConfig,
}
"""By folder or file; everything else is a RunConfig."""
FILES = [ROOT / "zenml_config.yaml", *sorted((ROOT / "configs").glob("**/*.yaml"))]
SCORE = ROOT / "configs" / "score" / "generated.yaml"


def default() -> dict:
    return yaml.safe_load((ROOT / "zenml_config.yaml").read_text())


def test_every_file_is_a_complete_configuration():
    for path in FILES:
        name = path.relative_to(ROOT).as_posix()
        record = RECORDS.get(name, RECORDS.get(str(Path(name).parent), RunConfig))
        assert isinstance(check_config(path, record), record), path
    assert len(FILES) == 22


def test_a_file_of_one_pipeline_is_refused_by_the_other():
    score = yaml.safe_load(SCORE.read_text())
    with pytest.raises(ConfigError, match="`split_rows` is missing"):
        check_content(score, "score.yaml", RunConfig)
    with pytest.raises(ConfigError, match="`labelled` is missing"):
        check_content(default(), "run.yaml", ScoreConfig)


@pytest.mark.parametrize(
    ("data", "labelled", "sentence"),
    [
        ({"generated": {"rows": 2000, "seed": 1}}, False, "generated clicks have labels"),
        ({"source": "a.tsv", "quarantine_percent": 1}, True, "every row is scored"),
        ({"source": "a.tsv", "reference": "snapshot.json"}, False, "these rows have none"),
    ],
)
def test_what_cannot_be_scored_gets_a_sentence(data, labelled, sentence):
    content = yaml.safe_load(SCORE.read_text())
    content["parameters"] |= {"data": {"contract": "criteo"} | data, "labelled": labelled}
    with pytest.raises(ConfigError, match=sentence):
        check_content(content, "score.yaml", ScoreConfig)


@pytest.mark.parametrize(
    ("section", "change", "sentence"),
    [
        ("data", {"source": None, "generated": {"rows": 2000, "seed": 1}}, "labels arrive day by"),
        ("alarms", {"pcoc": {"low": 2, "high": 1}}, "`low` .2. is above `high` .1."),
        ("alarms", {"psi_at_mots": 1}, "did you mean `psi_at_most`"),
        ("alarms", {"auc_at_least": 1.1}, "alarms.auc_at_least` is 1.1"),
    ],
)
def test_what_cannot_be_monitored_gets_a_sentence(section, change, sentence):
    content = yaml.safe_load((ROOT / "configs" / "monitor.yaml").read_text())
    content["parameters"][section] = content["parameters"][section] | change
    content["parameters"]["data"].pop("window")
    with pytest.raises(ConfigError, match=sentence):
        check_content(content, "monitor.yaml", MonitorConfig)


SLIPS = {
    "a misspelt key at the top": (
        lambda c: c.update(paramters={}),
        "run.yaml: `paramters` is not a known key; did you mean `parameters`?",
    ),
    "a misspelt section": (
        lambda c: c["parameters"].update(networks={}),
        "`networks` is not a known key; did you mean `network`?",
    ),
    "a misspelt key in a section": (
        lambda c: c["parameters"]["finetuning"].update(wieght=1.0),
        "run.yaml: parameters: `finetuning.wieght` is not a known key; did you mean `weight`?",
    ),
    "a key written in another way, so that its own name is missing too": (
        lambda c: c["parameters"]["network"].update(
            embeding_dim=c["parameters"]["network"].pop("embedding_dim")
        ),
        "`network.embeding_dim` is not a known key; did you mean `embedding_dim`?",
    ),
    "a misspelt key in a peer": (
        lambda c: c["parameters"]["peers"][0].update(sead=1),
        "`peers.0.sead` is not a known key; did you mean `seed`?",
    ),
    "a section left out": (
        lambda c: c["parameters"].pop("optimizer"),
        "run.yaml: parameters: `optimizer` is missing; add it.",
    ),
    "a cache for everything": (
        lambda c: c.update(enable_cache=True),
        "run.yaml: `enable_cache: true` would cache even steps that must always run",
    ),
    "no parameters": (lambda c: c.pop("parameters"), "`parameters` is missing"),
    "an unknown architecture": (
        lambda c: c["parameters"]["peers"][0].update(architecture="deepfn"),
        "`peers.0`: `deepfn` is not a known architecture; did you mean `deepfm`?",
    ),
    "an option of another architecture": (
        lambda c: c["parameters"]["peers"][1].update(options={"product": "inner"}),
        "`peers.1`: `product` is not an option of dcn; known are: cross_layers.",
    ),
    "a value no option takes": (
        lambda c: c["parameters"]["peers"][2].update(options={"product": "both"}),
        "`peers.2`: option `product` of pnn is 'both'; it takes one of inner, outer.",
    ),
    "a word for a number": (
        lambda c: c["parameters"]["finetuning"].update(lr="fast"),
        "run.yaml: parameters: `finetuning.lr` is 'fast': input should be a valid number",
    ),
    "a negative rate": (
        lambda c: c["parameters"]["pretraining"].update(lr=-1),
        "`pretraining.lr` is -1: input should be greater than 0",
    ),
    "a start from a champion that knows the test rows": (
        lambda c: c["parameters"]["pretraining"].update(start="champion"),
        "`pretraining.start: champion` under `split_rows.by: random` starts from a model that has",
    ),
    "an unknown space": (
        lambda c: c["parameters"]["finetuning"].update(space="probability"),
        "`finetuning.space` is 'probability': input should be 'prob', 'logit' or 'soft_bce'",
    ),
    "one peer": (
        lambda c: c["parameters"].update(peers=c["parameters"]["peers"][:1]),
        "`peers`",
    ),
    "the same peer twice": (
        lambda c: c["parameters"].update(peers=[c["parameters"]["peers"][0]] * 2),
        "two peers are deepfm with seed 1",
    ),
    "more ranks than peers": (
        lambda c: c["parameters"].update(
            resources={
                "pretraining": {"operator": None, "gpus": 0},
                "finetuning": {"operator": None, "gpus": 0, "ranks": 5},
            }
        ),
        "`resources.finetuning.ranks` is 5 and a cohort has 4 peers: every rank needs one.",
    ),
    "two sources": (
        lambda c: c["parameters"]["data"].update(source="clicks.tsv"),
        "give either `source` (a file) or `generated`",
    ),
    "bounds that nothing lies in": (
        lambda c: c["parameters"]["promotion"].update(pcoc={"low": 1.1, "high": 0.9}),
        "`promotion.pcoc`: `low` (1.1) is above `high` (0.9); swap them.",
    ),
    "an unknown table": (
        lambda c: c["parameters"]["promotion"].update(embeddings="int4"),
        "`promotion.embeddings` is 'int4': input should be 'fp32', 'bf16' or 'int8'",
    ),
    "an unknown contract": (
        lambda c: c["parameters"]["data"].update(
            contract="critoe", source="clicks.tsv", generated=None
        ),
        "no data contract `critoe`",
    ),
    "generated clicks in another shape": (
        lambda c: c["parameters"]["data"].update(contract="avazu"),
        "generated clicks have the shape of `criteo`, not of `avazu`",
    ),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_gets_one_sentence(slip):
    change, sentence = SLIPS[slip]
    content = default()
    change(content)
    with pytest.raises(ConfigError) as raised:
        check_content(content, "run.yaml")
    assert sentence in str(raised.value)
    assert "\n" not in str(raised.value)


def test_broken_yaml_and_a_missing_file_get_a_sentence(tmp_path):
    path = tmp_path / "run.yaml"
    with pytest.raises(ConfigError, match="there is no such file"):
        check_config(path)
    path.write_text("parameters:\n  data: [1\n")
    with pytest.raises(ConfigError, match="line 3: not valid YAML"):
        check_config(path)
    path.write_text("- a list\n")
    with pytest.raises(ConfigError, match="must hold `key: value` pairs"):
        check_config(path)


def test_one_group_has_plain_names_and_several_have_prefixes():
    content = default()["parameters"]
    content["peers"].append({"architecture": "deepfm", "seed": 9})
    names = [peer.name for peer in groups_of(RunConfig.model_validate(content))[0]]
    assert names == ["deepfm-0", "dcn-0", "pnn-0", "fibinet-0", "deepfm-1"]
    config = RunConfig.model_validate(content | {"groups": 2})
    first, second = groups_of(config)
    assert [peer.name for peer in second][:2] == ["g1-deepfm-0", "g1-dcn-0"]
    assert first[0].spec.seed == 1
    assert second[0].spec.seed == 1001
    assert cohort_name(config) == "2 deepfm+dcn+pnn+fibinet"
