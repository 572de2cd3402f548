"""To and from Stable-Baselines3's .zip files, which can run code: never without the flag that says so."""

import base64
import json
import pickle
import zipfile

import numpy as np
import pytest
import sb3_contrib
from sb3_contrib import QRDQN
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.base_class import BaseAlgorithm

from agents import AgentSettings, LearnedAgent, ZipError, build_learner, export_zip, import_zip
from agents.__main__ import main
from envs import BitcoinTradingVecEnv, EnvSettings

SMALL = AgentSettings(n_envs=4, n_steps=16, n_minibatches=2, n_epochs=1, lstm_size=8, head_layers=(12,), replay_steps=200)
PLAIN: dict[str, type[BaseAlgorithm]] = {"recurrent_ppo": sb3_contrib.RecurrentPPO, "ppo": PPO, "a2c": A2C, "qr_dqn": QRDQN}


@pytest.fixture(scope="module")
def vector(candles, matrix):
    return BitcoinTradingVecEnv(candles, matrix, EnvSettings(), n_envs=4, seed=0)


def make(vector, algorithm):
    settings = SMALL.model_copy(update={"algorithm": algorithm})
    return LearnedAgent(build_learner(settings, vector, seed=0).learn(64).policy, settings)


@pytest.mark.parametrize("algorithm", PLAIN)
def test_an_exported_agent_is_a_plain_model_and_comes_back_the_same(algorithm, vector, matrix, tmp_path):
    agent = make(vector, algorithm)
    export_zip(agent, tmp_path / "model.zip", zip_can_run_code=True)
    with zipfile.ZipFile(tmp_path / "model.zip") as held:
        assert b"agents.recurrent" not in held.read("data")  # nothing of ours is needed to read it
    plain = PLAIN[algorithm].load(tmp_path / "model.zip", device="cpu")
    back = import_zip(tmp_path / "model.zip", algorithm, zip_can_run_code=True)
    rows = np.concatenate([matrix.values[:50], np.zeros((50, 5), np.float32)], axis=1)
    wanted, _ = agent.predict(rows, deterministic=True)
    for other in (plain, back):
        np.testing.assert_array_equal(other.predict(rows, deterministic=True)[0], wanted)
    for name in ("algorithm", "head_layers", "gamma", "learning_rate"):
        assert getattr(back.settings, name) == getattr(agent.settings, name)
    back.save(tmp_path)
    np.testing.assert_array_equal(LearnedAgent.load(tmp_path).predict(rows, deterministic=True)[0], wanted)


def test_a_model_of_sb3_contribs_own_making_is_imported(vector, tmp_path):
    model = sb3_contrib.RecurrentPPO("MlpLstmPolicy", vector, n_steps=8, batch_size=32, n_epochs=1, device="cpu", seed=0).learn(
        32
    )
    model.save(tmp_path / "theirs.zip")
    agent = import_zip(tmp_path / "theirs.zip", zip_can_run_code=True)
    assert (agent.settings.lstm_size, agent.settings.head_layers) == (256, (64, 64))
    rows = np.random.default_rng(0).normal(size=(20, vector.observation_space.shape[0])).astype(np.float32)
    np.testing.assert_array_equal(agent.predict(rows, deterministic=True)[0], model.predict(rows, deterministic=True)[0])


class Bomb:
    """Opens a file when it is unpickled."""

    def __init__(self, path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return (open, (self.path, "w"))


def plant(bomb, path):
    """A model of sb3-contrib's with the bomb in its list of settings, where its reader unpickles it."""
    with zipfile.ZipFile(path) as held:
        files = {name: held.read(name) for name in held.namelist()}
    planted = {":type:": "<class 'Bomb'>", ":serialized:": base64.b64encode(pickle.dumps(bomb)).decode()}
    files["data"] = json.dumps(json.loads(files["data"]) | {"planted": planted}).encode()
    with zipfile.ZipFile(path, "w") as held:
        for name, content in files.items():
            held.writestr(name, content)


def test_without_the_flag_a_zip_is_not_even_opened(vector, tmp_path, capsys):
    """The bomb is one that reading the file sets off; a file that is not there is not missed."""
    path, exploded = tmp_path / "model.zip", tmp_path / "exploded"
    export_zip(make(vector, "recurrent_ppo"), path, zip_can_run_code=True)
    plant(Bomb(exploded), path)
    for unopened in (path, tmp_path / "none.zip", tmp_path):
        with pytest.raises(ZipError, match=r"holds pickles, and reading one can run any code .* say so: --zip-can-run-code"):
            import_zip(unopened)
        assert main(["import-zip", str(unopened), str(tmp_path / "agent")]) == 2
        assert "can run any code" in capsys.readouterr().err
    assert not exploded.exists()
    assert not (tmp_path / "agent").exists()
    import_zip(path, zip_can_run_code=True)
    assert exploded.exists()


def test_what_is_no_such_model_gets_one_line(vector, tmp_path):
    agent = make(vector, "ppo")
    export_zip(agent, tmp_path / "ppo.zip", zip_can_run_code=True)
    (tmp_path / "text.zip").write_text("no zip")
    for name, algorithm in (("ppo.zip", "recurrent_ppo"), ("text.zip", "ppo"), ("none.zip", "ppo")):
        with pytest.raises(ZipError, match=r"cannot read .* as a model of") as error:
            import_zip(tmp_path / name, algorithm, zip_can_run_code=True)
        assert "\n" not in str(error.value)
    with pytest.raises(ZipError, match="there is no algorithm"):
        import_zip(tmp_path / "ppo.zip", "pbo", zip_can_run_code=True)
    masked = LearnedAgent(agent.policy, SMALL.model_copy(update={"mask_orders": True}))
    with pytest.raises(ZipError, match="mask_orders"):
        export_zip(masked, tmp_path / "masked.zip", zip_can_run_code=True)


def test_the_commands_show_export_and_import(vector, tmp_path, capsys):
    make(vector, "recurrent_ppo").save(tmp_path / "agent")
    folder, file = str(tmp_path / "agent"), str(tmp_path / "model.zip")
    assert main(["show", folder]) == 0
    assert "recurrent_ppo: sees" in capsys.readouterr().out
    assert main(["export-zip", folder, file]) == 2
    assert "can run any code" in capsys.readouterr().err
    assert main(["export-zip", folder, file, "--zip-can-run-code"]) == 0
    assert main(["import-zip", file, str(tmp_path / "again")]) == 2
    assert main(["import-zip", file, str(tmp_path / "again"), "--zip-can-run-code"]) == 0
    assert LearnedAgent.load(tmp_path / "again").settings.lstm_size == 8
