-- One row per person and rubric: counts and sums of score_percent, from which means and intervals are made.
-- Filters: the variables of the view filtered_grades.
-- threshold   double       optional, default: 80; a grade at or above it passes, in percent
with chosen as (
    select * from filtered_grades
),
zero_but_earned as (
    select distinct grade_key
    from section_scores
    where section_score > 0 and grade_key in (select grade_key from chosen where score_percent = 0)
),
autofails as (
    select person_id, rubric_id, count(*) as autofails_inferred
    from chosen
    where score_percent = 0 and grade_key in (select grade_key from zero_but_earned)
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
