-- One row per rubric: whether its grades' scores follow from their sections, added up by points or by section weights.
-- The way that fits more grades is taken for the rubric's. An inferred auto-fail (0 although a section earned points)
-- is not a mismatch.
-- Filters: the variables of the view filtered_grades.
select
    rubric_id,
    max(rubric_name) as rubric_name,
    max(scoring) as scoring,
    count(score_percent) as n,
    count(case when score_percent is null or recomputed is null then 1 end) as n_na,
    count(case when fits then 1 end) as fitting,
    count(case when autofail_inferred and not fits then 1 end) as autofails_inferred,
    count(
        case when not fits and not autofail_inferred and score_percent is not null and recomputed is not null
            then 1 end
    ) as mismatches,
    max(case when not autofail_inferred then abs(score_percent - recomputed) end) as largest_gap
from reconciled_scores
group by rubric_id
order by rubric_id
