-- One row per person, helpdesk, score (whole percents) and CSAT score: how many tickets had both.
-- A ticket graded twice counts once, with the mean of its scores. Tickets without a survey have a null CSAT score.
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
    from grades
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
tickets as (
    select
        source,
        gradable_id,
        min(person_id) as person_id,
        avg(score_percent) as score_percent,
        max(csat_score) as csat_score
    from chosen
    where score_percent is not null
    group by source, gradable_id
),
pairs as (
    select person_id, source, cast(round(score_percent) as integer) as score_percent, csat_score, count(*) as tickets
    from tickets
    group by person_id, source, cast(round(score_percent) as integer), csat_score
)
select * from pairs
