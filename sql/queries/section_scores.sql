-- One row per rubric, section and person: counts and sums of the section's score in percent of its maximum.
-- A section that was not applicable has no score and is counted in n_na, never as a zero.
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
sections_of_people as (
    select sections.*, ids.person_id
    from section_scores as sections
    join agent_ids as ids on ids.agent_id = sections.agent_id
),
chosen as (
    select *
    from sections_of_people
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
scored as (
    select
        *,
        case when max_section_score > 0 then 100 * section_score / max_section_score end as score_percent
    from chosen
),
per_person as (
    select
        rubric_id,
        max(rubric_name) as rubric_name,
        section_id,
        max(section_name) as section_name,
        person_id,
        count(score_percent) as n,
        count(*) - count(section_score) as n_na,
        sum(score_percent) as total,
        sum(score_percent * score_percent) as squares,
        sum(score_percent * score_percent * score_percent) as cubes,
        sum(case when score_percent is not null then section_score end) as points,
        sum(case when score_percent is not null then max_section_score end) as max_points,
        max(section_weight) as section_weight
    from scored
    group by rubric_id, section_id, person_id
)
select * from per_person
