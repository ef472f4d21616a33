-- One row per grade whose score does not follow from its sections. Scores in percent.
-- Filters: the variables of the view filtered_grades.
with chosen as (
    select * from recomputed_scores where grade_key in (select grade_key from filtered_grades)
),
per_rubric as (
    select
        rubric_id,
        count(case when fits_points then 1 end) as fit_points,
        count(case when fits_weighted then 1 end) as fit_weighted
    from chosen
    group by rubric_id
),
judged as (
    select
        chosen.*,
        case
            when per_rubric.fit_weighted > per_rubric.fit_points then 'weighted'
            when per_rubric.fit_points > 0 then 'points'
            else 'unknown'
        end as scoring
    from chosen
    join per_rubric on per_rubric.rubric_id = chosen.rubric_id
),
settled as (
    select
        *,
        case when scoring = 'weighted' then weighted_percent else points_percent end as recomputed,
        case when scoring = 'weighted' then fits_weighted else fits_points end as fits
    from judged
),
mismatches as (
    select
        grade_key, rubric_id, rubric_name, score_percent, points_percent, weighted_percent, scoring, recomputed,
        score_percent - recomputed as gap
    from settled
    where not fits and not autofail_inferred and score_percent is not null and recomputed is not null
    order by grade_key
)
select * from mismatches
