-- One row per person and rubric: counts and sums of score_percent, from which means and intervals are made.
-- since       timestamptz  optional, default: everything; grades reported at or after it (date_reported_as)
-- until       timestamptz  optional, default: everything; grades reported before it
-- team        varchar      optional, a group's name or id
-- agent       varchar      optional, a person's name, e-mail address or any of their ids
-- rubric      varchar      optional, a rubric's name or id
-- source      varchar      optional, a helpdesk
-- grade_type  varchar      optional, default: grading; 'any' for all
-- threshold   double       optional, default: 80; a grade at or above it passes, in percent
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
zero_but_earned as (
    select distinct grade_key
    from section_scores
    where section_score > 0 and grade_key in (select grade_key from chosen where rubric_score = 0)
),
autofails as (
    select person_id, rubric_id, count(*) as autofails_inferred
    from chosen
    where rubric_score = 0 and grade_key in (select grade_key from zero_but_earned)
    group by person_id, rubric_id
),
per_person as (
    select
        person_id,
        rubric_id,
        max(rubric_name) as rubric_name,
        count(score_percent) as n,
        count(*) - count(score_percent) as n_na,
        sum(score_percent) as total,
        sum(score_percent * score_percent) as squares,
        sum(score_percent * score_percent * score_percent) as cubes,
        count(case when score_percent >= coalesce(getvariable('threshold'), 80) then 1 end) as passed,
        sum(case when score_percent is not null then rubric_score end) as points,
        sum(case when score_percent is not null then max_rubric_score end) as max_points,
        max(score_percent) as highest,
        min(date_reported_as) as first_reported,
        max(date_reported_as) as last_reported
    from chosen
    group by person_id, rubric_id
),
named as (
    select
        agents.agent_name,
        per_person.*,
        coalesce(autofails.autofails_inferred, 0) as autofails_inferred
    from per_person
    left join agents on agents.person_id = per_person.person_id
    left join autofails
        on autofails.person_id is not distinct from per_person.person_id
        and autofails.rubric_id is not distinct from per_person.rubric_id
    order by per_person.person_id, per_person.rubric_id
)
select * from named
