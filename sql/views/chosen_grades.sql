-- One row per live grade that the variables choose, of covered time or not, of every grade type unless grade_type is set:
-- the view scored_grades.
-- since       timestamptz  optional, default: everything; grades reported at or after it (date_reported_as)
-- until       timestamptz  optional, default: everything; grades reported before it
-- team        varchar      optional, a group's name or id
-- agent       varchar      optional, a person's name, e-mail address or any of their ids
-- rubric      varchar      optional, a rubric's name or id
-- source      varchar      optional, a helpdesk
-- grade_type  varchar      optional, default: any
select *
from scored_grades
where coalesce(date_reported_as, timestamptz '1970-01-01T00:00:00Z')
        >= coalesce(getvariable('since'), timestamptz '1970-01-01T00:00:00Z')
    and coalesce(date_reported_as, timestamptz '1970-01-01T00:00:00Z')
        < coalesce(getvariable('until'), timestamptz '2970-01-01T00:00:00Z')
    and coalesce(getvariable('grade_type'), 'any') in ('any', grade_type)
    and coalesce(getvariable('rubric'), '') in ('', rubric_id, rubric_name)
    and coalesce(getvariable('source'), '') in ('', source)
    and (
        (coalesce(getvariable('agent'), '') = '' and coalesce(getvariable('team'), '') = '')
        or person_id in (
            select person_id
            from filtered_people
            -- An empty list is quicker to look in than one of everybody.
            where coalesce(getvariable('agent'), '') <> '' or coalesce(getvariable('team'), '') <> ''
        )
    )
