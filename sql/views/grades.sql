-- One row per live grade: the view scored_grades (total score, person, percent, covered), the ticket's CSAT, and whether
-- the grade is whole.
--   csat_score  the customer's satisfaction with the ticket, on the survey's own scale
--   is_whole    whether the rows of the grade in all tables come from the same export
select scored.*, csat.csat_score, incomplete.grade_key is null as is_whole
from scored_grades as scored
left join csat on csat.gradable_id = scored.gradable_id and csat.source is not distinct from scored.source
left join (select distinct grade_key from incomplete_grades) as incomplete on incomplete.grade_key = scored.grade_key
