-- One row per live grade that the variables choose, with its score computed again from its sections (recomputed, percent).
-- Sections are added up as the rubric is scored: by points or by section weights, whichever fits more of its grades.
--   scoring     points or weighted; unknown where neither fits
--   recomputed  the score as it follows from the sections (percent)
--   fits        whether score_percent is the recomputed one
-- The variables are those of the view filtered_grades.
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
)
select * from settled
