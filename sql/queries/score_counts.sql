-- One row per person, rubric and score (rounded to two points): how many grades have it. Control limits are worked out
-- from these counts.
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
rounded as (
    select person_id, rubric_id, 2 * cast(round(score_percent / 2) as bigint) as score
    from chosen
    where date_reported_as is not null and score_percent is not null
),
counted as (
    select person_id, rubric_id, score, count(*) as n from rounded group by person_id, rubric_id, score
),
named as (
    select agents.agent_name, counted.*
    from counted
    left join agents on agents.person_id = counted.person_id
)
select * from named
