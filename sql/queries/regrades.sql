-- One row per grader and rubric: grades, how many were graded again with other points, and how the score moved.
-- Between the first version that landed and the one that stands. Scores in percent.
-- since       timestamptz  optional, default: everything; grades reported at or after it (date_reported_as)
-- until       timestamptz  optional, default: everything; grades reported before it
-- team        varchar      optional, a group's name or id
-- agent       varchar      optional, a person's name, e-mail address or any of their ids
-- rubric      varchar      optional, a rubric's name or id
-- source      varchar      optional, a helpdesk
-- grade_type  varchar      optional, default: grading; 'any' for all
with wanted_people as (
    select person_id from agent_ids where agent_id = coalesce(getvariable('agent'), '')
    union
    select person_id from agents where coalesce(getvariable('agent'), '') in (person_id, agent_name, agent_email)
),
wanted_team as (
    select person_id from team_members where coalesce(getvariable('team'), '') in (group_id, group_name)
),
chosen as (
    select *
    from scored_grades
    where coalesce(date_reported_as, timestamptz '1970-01-01T00:00:00Z')
            >= coalesce(getvariable('since'), timestamptz '1970-01-01T00:00:00Z')
        and coalesce(date_reported_as, timestamptz '1970-01-01T00:00:00Z')
            < coalesce(getvariable('until'), timestamptz '2970-01-01T00:00:00Z')
        and coalesce(getvariable('grade_type'), 'grading') in ('any', grade_type)
        and coalesce(getvariable('rubric'), '') in ('', rubric_id, rubric_name)
        and coalesce(getvariable('source'), '') in ('', source)
        and (coalesce(getvariable('agent'), '') = '' or person_id in (select person_id from wanted_people))
        and (coalesce(getvariable('team'), '') = '' or person_id in (select person_id from wanted_team))
),
versions as (
    select
        grade_key,
        100 * rubric_score / nullif(max_rubric_score, 0) as score_percent,
        date_graded,
        row_number() over (partition by grade_key order by replaced_at, date_graded) as version
    from grade_history
    where grade_key in (select grade_key from chosen)
),
moved as (
    select
        chosen.*,
        versions.grade_key is not null as regraded,
        chosen.score_percent - versions.score_percent as change,
        (epoch(chosen.date_graded) - epoch(versions.date_graded)) / 86400 as days
    from chosen
    left join versions on versions.grade_key = chosen.grade_key and versions.version = 1
),
per_grader as (
    select
        grader,
        rubric_id,
        max(rubric_name) as rubric_name,
        count(*) as n,
        count(case when regraded then 1 end) as regraded,
        count(case when regraded and change is null then 1 end) as n_na,
        count(case when change > 0 then 1 end) as raised,
        count(case when change < 0 then 1 end) as lowered,
        sum(change) as total,
        sum(change * change) as squares,
        sum(change * change * change) as cubes,
        quantile_cont(case when regraded then days end, 0.5) as median_days
    from moved
    group by grader, rubric_id
    order by grader, rubric_id
)
select * from per_grader
