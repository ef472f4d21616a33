-- One row per rubric, section and person: counts and sums of the section's score in percent of its maximum.
-- A section that was not applicable has no score and is counted in n_na, never as a zero.
-- Filters: the variables of the view filtered_grades, applied by filtered_sections.
with scored as (
    select
        sections.*,
        ids.person_id,
        case when max_section_score > 0 then 100 * section_score / max_section_score end as score_percent
    from filtered_sections as sections
    join agent_ids as ids on ids.agent_id = sections.agent_id
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
