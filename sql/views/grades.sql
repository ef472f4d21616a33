-- One row per live grade: the view scored_grades (total score, person, percent, whole, covered), and the ticket's CSAT.
select scored.*, csat.csat_score
from scored_grades as scored
left join csat on csat.gradable_id = scored.gradable_id and csat.source is not distinct from scored.source
