-- One row per grade whose score does not follow from its sections. Scores in percent.
-- Filters: the variables of the view filtered_grades.
select
    grade_key, rubric_id, rubric_name, score_percent, points_percent, weighted_percent, scoring, recomputed,
    score_percent - recomputed as gap
from reconciled_scores
where not fits and not autofail_inferred and score_percent is not null and recomputed is not null
order by grade_key
