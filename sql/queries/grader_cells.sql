-- One row per grader, person, rubric and day: counts and sums of score_percent, from which graders and agents are compared.
-- Persons and rubrics are numbers from 1, in order of their ids; 0 is one that is not known.
-- since       timestamptz  optional, default: everything; grades reported at or after it (date_reported_as)
-- until       timestamptz  optional, default: everything; grades reported before it
-- team        varchar      optional, a group's name or id
-- agent       varchar      optional, a person's name, e-mail address or any of their ids
-- rubric      varchar      optional, a rubric's name or id
-- source      varchar      optional, a helpdesk
-- grade_type  varchar      optional, default: grading; 'any' for all
-- week_zone   varchar      optional, default: UTC; the time zone in which weeks, months and days begin
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
-- Numbers, where only equality counts: there are nearly as many cells as grades, and texts are slow to group and to read.
people as (
    select person_id, row_number() over (order by person_id) as person
    from (select distinct person_id from agent_ids) as persons
),
rubrics as (
    select rubric_id, row_number() over (order by rubric_id) as rubric
    from (select distinct rubric_id from total_scores) as used
),
placed as (
    select
        chosen.grader,
        coalesce(people.person, 0) as person,
        coalesce(rubrics.rubric, 0) as rubric,
        cast(
            date_trunc('day', chosen.date_reported_as at time zone coalesce(getvariable('week_zone'), 'UTC')) as date
        ) as day,
        chosen.score_percent
    from chosen
    left join people on people.person_id = chosen.person_id
    left join rubrics on rubrics.rubric_id = chosen.rubric_id
),
cells as (
    select
        grader,
        person,
        rubric,
        day,
        count(score_percent) as n,
        count(*) - count(score_percent) as n_na,
        sum(score_percent) as total,
        sum(score_percent * score_percent) as squares
    from placed
    group by grader, person, rubric, day
)
select * from cells
