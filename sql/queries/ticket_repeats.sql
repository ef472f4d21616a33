-- One row per person with tickets that were graded more than once (under several rubrics): how alike such grades are.
-- deviations are from the mean of the rubric and of the person; products are those of two grades of one ticket.
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
placed as (
    select
        person_id,
        rubric_id,
        hash(source, gradable_id) as ticket,
        score_percent
    from chosen
    where score_percent is not null and person_id is not null
),
tickets as (
    select person_id, ticket from placed group by person_id, ticket having count(*) > 1
),
repeated as (
    select placed.* from placed join tickets using (person_id, ticket)
),
rubric_means as (
    select rubric_id, avg(score_percent) as rubric_mean from repeated group by rubric_id
),
moved as (
    select repeated.person_id, repeated.ticket, repeated.score_percent - rubric_means.rubric_mean as score
    from repeated
    join rubric_means on rubric_means.rubric_id is not distinct from repeated.rubric_id
),
person_means as (
    select person_id, avg(score) as person_mean from moved group by person_id
),
deviations as (
    select moved.person_id, moved.ticket, moved.score - person_means.person_mean as deviation
    from moved
    join person_means using (person_id)
),
per_ticket as (
    select
        person_id,
        ticket,
        count(*) as grades,
        sum(deviation) as total,
        sum(deviation * deviation) as squares
    from deviations
    group by person_id, ticket
),
per_person as (
    select
        person_id,
        cast(sum(grades) as bigint) as repeated_grades,
        cast(sum(grades * (grades - 1)) as bigint) as pairs,
        sum(total * total - squares) as products,
        sum(squares) as squares
    from per_ticket
    group by person_id
    order by person_id
)
select * from per_person
