"""What the environment may say, and what is refused before anything is tried."""

import pytest

from maestro_analytics.errors import SettingsError
from maestro_analytics.settings import Settings, is_loopback

NAMES = (
    "API_TOKEN",
    "API_TOKEN_FILE",
    "BASE_URL",
    "DATA",
    "REQUESTS_PER_SECOND",
    "CACHE",
    "EXPORT_TIMEOUT",
    "TICKET_URLS",
)


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch, tmp_path):
    for name in NAMES:
        monkeypatch.delenv(f"MAESTRO_{name}", raising=False)
    monkeypatch.chdir(tmp_path)


def test_the_defaults_are_those_of_the_contract(tmp_path):
    settings = Settings.from_environment()
    assert settings.base_url == "https://app.maestroqa.com/api/v1"
    assert settings.database == tmp_path / "data" / "maestro.duckdb"
    assert (settings.requests_per_second, settings.requests_per_minute, settings.export_timeout) == (9, 95, 1800.0)


def test_a_missing_token_says_what_to_set():
    with pytest.raises(SettingsError, match="set MAESTRO_API_TOKEN or MAESTRO_API_TOKEN_FILE"):
        _ = Settings.from_environment().token


def test_a_token_file_is_read_and_trimmed(monkeypatch, tmp_path):
    (tmp_path / "token").write_text("secret-1\n", encoding="utf-8")
    monkeypatch.setenv("MAESTRO_API_TOKEN_FILE", str(tmp_path / "token"))
    assert Settings.from_environment().token == "secret-1"


def test_a_token_file_that_is_not_there_is_a_settings_error(monkeypatch, tmp_path):
    monkeypatch.setenv("MAESTRO_API_TOKEN_FILE", str(tmp_path / "nowhere"))
    with pytest.raises(SettingsError, match=r"MAESTRO_API_TOKEN_FILE .* cannot be read: No such file"):
        Settings.from_environment()


def test_a_dotenv_file_of_the_working_folder_is_read_and_the_environment_wins(monkeypatch, tmp_path):
    (tmp_path / ".env").write_text("MAESTRO_API_TOKEN=from-file\nMAESTRO_DATA=elsewhere\n", encoding="utf-8")
    monkeypatch.setenv("MAESTRO_DATA", "here")
    settings = Settings.from_environment()
    assert settings.token == "from-file"
    assert settings.database == tmp_path / "here" / "maestro.duckdb"


@pytest.mark.parametrize(
    ("in_file", "in_environment", "reads"),
    [
        ("MAESTRO_CACHE=file", {}, "file"),
        ("export maestro_cache='file'  # in any case", {"MAESTRO_CACHE": ""}, "file"),
        ("MAESTRO_CACHE=file", {"Maestro_Cache": "environment"}, "environment"),
        ("MAESTRO_CACHE=${SOME_FOLDER}/qa", {"SOME_FOLDER": "/srv"}, "/srv/qa"),
        ("CACHE=file\nMAESTRO_CACHES=file", {"CACHE": "environment", "MAESTRO_CACHE": "null"}, "null"),
        ("MAESTRO_CACHE", {"MAESTRO_CACHE": "environment"}, "environment"),
    ],
)
def test_a_variable_is_read_from_the_environment_and_then_from_the_file(
    monkeypatch, tmp_path, in_file, in_environment, reads
):
    (tmp_path / ".env").write_text(in_file, encoding="utf-8")
    for name, text in in_environment.items():
        monkeypatch.setenv(name, text)
    assert str(Settings.from_environment().cache) == reads
    assert str(Settings(cache="given").cache) == "given"


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("REQUESTS_PER_SECOND", "1.5", "Input should be a valid integer, unable to parse string as an integer"),
        ("REQUESTS_PER_MINUTE", "0", "Input should be greater than 0"),
        ("EXPORT_TIMEOUT", "soon", "Input should be a valid number, unable to parse string as a number"),
        ("OVERLAP_MINUTES", "-1", "Input should be greater than or equal to 0"),
    ],
)
def test_a_number_that_cannot_be_used_is_refused_with_the_name_of_its_variable(tmp_path, name, text, says):
    (tmp_path / ".env").write_text(f"MAESTRO_{name}={text}", encoding="utf-8")
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment()
    assert str(refused.value) == f"MAESTRO_{name} {says}. See `maestro-analytics doctor`."


def test_an_option_wins_over_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("MAESTRO_DATA", "here")
    assert Settings.from_environment(data=tmp_path / "there").database == tmp_path / "there" / "maestro.duckdb"


@pytest.mark.parametrize("below", ["", "sandbox"])
@pytest.mark.parametrize("name", ["DATA", "CACHE"])
def test_a_file_in_the_place_of_a_folder_is_named(monkeypatch, tmp_path, name, below):
    file = tmp_path / "export.zip"
    file.touch()
    monkeypatch.setenv(f"MAESTRO_{name}", f"{file / below}")

    with pytest.raises(SettingsError, match=f"^MAESTRO_{name} is {file / below}, and {file} is a file: name a folder"):
        Settings.from_environment()


@pytest.mark.parametrize(
    "url", ["http://example.com/api/v1", "ftp://example.com", "example.com", "https://u:p@example.com"]
)
def test_a_base_url_that_would_show_the_token_is_refused(url):
    with pytest.raises(SettingsError, match="MAESTRO_BASE_URL"):
        Settings.from_environment(base_url=url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/api/v1", "http://localhost/api/v1/", "http://[::1]:1/api/v1"])
def test_plain_http_is_for_loopback(url):
    assert not Settings.from_environment(base_url=url).base_url.endswith("/")


def test_the_token_is_in_no_text_of_the_settings(monkeypatch):
    monkeypatch.setenv("MAESTRO_API_TOKEN", "very-secret")
    settings = Settings.from_environment()
    assert "very-secret" not in f"{settings!r} {settings} {settings.model_dump_json()}"


def test_a_refused_value_never_shows_the_token(monkeypatch):
    monkeypatch.setenv("MAESTRO_API_TOKEN", "very secret\n")
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment()
    assert "secret" not in str(refused.value).replace("no HTTP header", "")


@pytest.mark.parametrize(
    ("host", "loops"), [("127.0.0.9", True), ("::1", True), ("localhost", True), ("10.0.0.1", False)]
)
def test_loopback_is_this_machine(host, loops):
    assert is_loopback(host) is loops


def test_an_empty_variable_counts_as_not_set(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MAESTRO_API_TOKEN", "")
    monkeypatch.setenv("MAESTRO_REQUESTS_PER_MINUTE", "")
    settings = Settings.from_environment()
    assert settings.api_token is None
    assert settings.requests_per_minute == 95


def test_a_byte_order_mark_in_a_dotenv_file_hides_no_variable(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_bytes(b"\xef\xbb\xbfMAESTRO_API_TOKEN=secret\n")
    assert Settings.from_environment().token == "secret"


def test_a_tilde_is_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Settings(_env_file=None, data="~/qa").data == tmp_path / "qa"


def test_a_user_without_a_home_folder_has_a_cache_folder_and_is_told_of_a_tilde(monkeypatch):
    def no_entry(uid):
        raise KeyError(uid)

    monkeypatch.setattr("pwd.getpwuid", no_entry)
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert Settings(_env_file=None).cache.is_absolute()
    monkeypatch.setenv("MAESTRO_DATA", "~/qa")
    with pytest.raises(SettingsError, match="no home folder"):
        Settings.from_environment()


def test_an_empty_token_file_is_named(monkeypatch, tmp_path):
    (tmp_path / "token").write_text("\n", encoding="utf-8")
    monkeypatch.setenv("MAESTRO_API_TOKEN_FILE", str(tmp_path / "token"))
    with pytest.raises(SettingsError, match=r"token is empty: write the token into it"):
        Settings.from_environment()


def test_the_overlap_is_an_hour_unless_set(monkeypatch):
    assert Settings(_env_file=None).overlap_minutes == 60
    monkeypatch.setenv("MAESTRO_OVERLAP_MINUTES", "15")
    assert Settings(_env_file=None).overlap_minutes == 15


def test_addresses_of_tickets_are_given_by_source(monkeypatch):
    given = (
        "Zendesk = https://acme.zendesk.com/agent/tickets/{gradable_id} ; crm=https://crm:8443/?id={gradable_id}&v=1;"
    )
    monkeypatch.setenv("MAESTRO_TICKET_URLS", given)
    assert Settings.from_environment().ticket_urls == {
        "zendesk": "https://acme.zendesk.com/agent/tickets/{gradable_id}",
        "crm": "https://crm:8443/?id={gradable_id}&v=1",
    }


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("zendesk", "not SOURCE=ADDRESS"),
        ("=https://a/{gradable_id}", "not SOURCE=ADDRESS"),
        ("zendesk=http://a/{gradable_id}", "does not begin with https://HOST/"),
        ("zendesk=javascript:alert({gradable_id})", "does not begin with https://HOST/"),
        ("zendesk=https:///{gradable_id}", "does not begin with https://HOST/"),
        ("zendesk=https://u:p@a/{gradable_id}", "user or password"),
        ("zendesk=https://a/", "needs {gradable_id} behind the host"),
        ("zendesk=https://{gradable_id}.a/", "needs {gradable_id} behind the host"),
        ("zendesk=https://a/{gradable_id}/{token}", "needs {gradable_id} behind the host"),
        ("zendesk=https://a/{gradable_id} x", "characters that no address has"),
        ("zendesk=https://a:b/{gradable_id}", "is not one"),
        ("a=https://a/{gradable_id};A=https://b/{gradable_id}", "twice"),
    ],
)
def test_an_address_that_leads_to_no_ticket_is_refused(monkeypatch, given, says):
    monkeypatch.setenv("MAESTRO_TICKET_URLS", given)
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment()
    assert "MAESTRO_TICKET_URLS" in str(caught.value)
    assert says in str(caught.value)
