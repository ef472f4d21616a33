"""A lake in a bucket of an S3-compatible server (moto's, a process of its own, on the loopback address)."""

import re
import subprocess
import sys
import threading
from dataclasses import replace

import boto3
import polars as pl
import pytest

from maestro_analytics.errors import InvalidArgument, LakeBusy, LakeError, NotALake
from maestro_analytics.lake import open_lake, write_lake
from maestro_analytics.lake.place import place_of
from maestro_analytics.lake.shares import Files
from maestro_analytics.lake.source import tables_of
from maestro_analytics.lake.write import Target

SECRET = "s3cr3t-never-to-be-seen"


@pytest.fixture(scope="module")
def endpoint():
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"], stderr=subprocess.PIPE, text=True
    )
    for line in server.stderr:
        if found := re.search(r"http://127\.0\.0\.1:\d+", line):
            break
    # it logs each request: a pipe that nobody empties would stop it in the end
    reading = threading.Thread(target=server.stderr.read, daemon=True)
    reading.start()
    yield found[0]
    server.terminate()
    server.wait()
    reading.join()
    server.stderr.close()


@pytest.fixture
def bucket(endpoint, monkeypatch):
    """An empty bucket, and the environment that leads to it."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "an-id",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3", region_name="us-east-1", endpoint_url=endpoint)
    client.create_bucket(Bucket="lake")
    yield client
    for found in client.list_objects_v2(Bucket="lake").get("Contents", []):
        client.delete_object(Bucket="lake", Key=found["Key"])
    client.delete_bucket(Bucket="lake")


@pytest.fixture
def source(source):
    """The small contact centre with four tables: each is some 40 requests that the server takes 10 ms for."""
    for name in set(tables_of(source.connection)) - {"total_scores", "individual_answers", "agent_groups", "todos"}:
        source.connection.execute(f"drop table {name}")
    return source


def test_a_lake_in_a_bucket_answers_as_the_database_does_and_holds_no_credential(source, bucket):
    write_lake(source, "s3://lake/qa/", account="acme")

    with open_lake("s3://lake/qa") as lake:
        for query in (
            "select count(*) as n, sum(question_score) as points, max(date_graded) as newest from individual_answers",
            "select agent_ids, count(*) as n from agent_groups group by all order by all",
            "select grade_key, comment from total_scores "
            "where date_graded >= '2026-02-03' and rubric_score > 20 order by 1",
        ):
            assert lake.sql(query).equals(source.connection.sql(query).pl())
        assert lake.sql("from grades").height == lake.sql("from total_scores").height > 0

    found = pl.scan_delta("s3://lake/qa/acme/todos", storage_options={"allow_http": "true"}).sort("id").collect()
    assert found.equals(source.connection.sql("from todos order by id").pl()), "what another reader finds"
    for entry in bucket.list_objects_v2(Bucket="lake", Prefix="qa/acme/todos/_delta_log/")["Contents"]:
        content = bucket.get_object(Bucket="lake", Key=entry["Key"])["Body"].read().decode()
        assert SECRET not in content
        assert "an-id" not in content


def test_a_column_that_a_table_grew_is_read_from_a_bucket_too(source, bucket):
    write_lake(source, "s3://lake/qa", account="acme")
    source.connection.execute("alter table total_scores add column channel varchar")
    source.connection.execute("update total_scores set channel = 'voice' where date_graded >= '2026-04-01'")
    assert write_lake(source, "s3://lake/qa", account="acme").parts_written == 1

    query = "select grade_key, channel from total_scores order by grade_key"
    with open_lake("s3://lake/qa") as lake:
        assert lake.sql(query).equals(source.connection.sql(query).pl())


def test_files_that_later_versions_replaced_are_vacuumed(source, bucket):
    write_lake(source, "s3://lake/qa", account="acme")
    for _ in range(2):
        source.connection.execute("delete from todos where id = (select min(id) from todos)")
        assert write_lake(source, "s3://lake/qa", account="acme", kept_hours=0).parts_written == 1
    listed = bucket.list_objects_v2(Bucket="lake", Prefix="qa/acme/todos/part-")
    assert listed["KeyCount"] == 1


def test_of_two_writers_in_a_bucket_at_once_one_publishes_and_the_other_is_told(source, bucket, monkeypatch):
    """The other writer publishes its rows right before the first commit of this one to the same table."""
    write_lake(source, "s3://lake/qa", account="acme")
    other = replace(source, connection=source.connection.cursor())
    source.connection.execute("delete from todos where id = 'd0'")
    commit = Target.commit

    def overtaken(target, *arguments, **options):
        monkeypatch.setattr(Target, "commit", commit)
        write_lake(other, "s3://lake/qa", account="acme")
        return commit(target, *arguments, **options)

    monkeypatch.setattr(Target, "commit", overtaken)
    with pytest.raises(LakeBusy, match="another writer has written to s3://lake/qa/acme/todos meanwhile"):
        write_lake(source, "s3://lake/qa", account="acme")

    query = "select * from todos order by id"
    with open_lake("s3://lake/qa") as lake:
        assert lake.sql(query).equals(source.connection.sql(query).pl())


def test_a_bucket_that_is_not_there_is_one_line(source, bucket):
    with pytest.raises(LakeError, match=r"s3://no-such-bucket/qa.* cannot be used: .*bucket does not exist") as refusal:
        write_lake(source, "s3://no-such-bucket/qa", account="acme")
    assert "\n" not in str(refusal.value)
    assert SECRET not in str(refusal.value)
    with pytest.raises(NotALake, match="no Delta table"):
        open_lake("s3://lake/nothing-here")


@pytest.mark.parametrize(
    "address", [f"s3://an-id:{SECRET}@lake/qa", f"s3://lake/qa?secret_key={SECRET}", "https://lake/qa", "s3:///qa"]
)
def test_an_address_with_more_than_a_bucket_and_a_folder_is_refused_and_not_repeated(address):
    with pytest.raises(InvalidArgument) as refusal:
        place_of(address)
    assert SECRET not in str(refusal.value)


def test_spark_is_given_the_addresses_that_its_connector_for_buckets_reads(bucket):
    files = Files(place_of("s3://lake/qa").within("acme"), {}, ("month=2026-01/b.parquet",), 0)
    assert files.for_spark() == ["s3a://lake/qa/acme/month=2026-01/b.parquet"]
