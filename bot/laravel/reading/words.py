"""The names of Laravel's query, model and table builders, by what they do (Laravel 8 to 13)."""

from __future__ import annotations

from typing import Final

from bot.laravel.reading.acts import Act


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


WRITES: Final = _names(
    "insert insertGetId insertOrIgnore insertOrIgnoreUsing insertUsing update updateFrom updateOrInsert upsert increment decrement "
    "incrementEach decrementEach updateQuietly updateOrFail create createQuietly updateOrCreate firstOrCreate createOrFirst "
    "forceCreate createMany save saveQuietly saveOrFail saveMany attach sync syncWithoutDetaching associate push touch insertReturning"
)
SAVES: Final = _names("save saveQuietly saveOrFail push")
UPDATES: Final = _names(
    "update updateFrom updateQuietly updateOrFail increment decrement incrementEach decrementEach"
)
DELETES: Final = _names("delete truncate forceDelete destroy detach deleteQuietly deleteOrFail")
LOADS: Final = _names("get all pluck getModels")
ONE_ROW: Final = _names(
    "first firstOrFail find findOrFail findOrNew sole firstWhere firstOrNew value soleValue last pop shift fresh refresh findMany"
)
NO_DATA: Final = _names(
    "count exists doesntExist isEmpty isNotEmpty max min sum avg average contains has missing toSql getTable"
)
WHERES: Final = _names(
    "where orWhere whereNot whereIn whereNotIn orWhereIn whereIntegerInRaw whereNull whereNotNull orWhereNull orWhereNotNull "
    "whereBetween whereDate whereYear whereMonth whereColumn whereRaw orWhereRaw whereHas whereDoesntHave whereExists whereNotExists "
    "whereKey whereKeyNot whereLike whereNotBetween whereJsonContains whereRelation whereAny whereAll has doesntHave having havingRaw"
)
OPAQUE_WHERES: Final = _names(
    "whereExists whereNotExists whereHas whereDoesntHave whereRaw orWhereRaw has doesntHave whereRelation whereColumn having havingRaw"
)
ORDERS: Final = _names("orderBy orderByDesc orderByRaw latest oldest inRandomOrder reorder")
BOUNDS: Final = _names(
    "limit take forPage forPageAfterId forPageBeforeId paginate simplePaginate cursorPaginate"
)
GROUPS: Final = _names("groupBy distinct groupByRaw")
JOINS: Final = _names("join leftJoin rightJoin crossJoin joinSub leftJoinSub joinWhere")
SELECTS: Final = _names("select addSelect selectRaw selectSub")
CHUNKS: Final = _names("chunk chunkById chunkByIdDesc each eachById chunkMap orderedChunkById")
LAZIES: Final = _names("lazy lazyById lazyByIdDesc cursor")
NEEDS_ORDER: Final = _names("chunk each lazy chunkMap")
LOSES_PLACE: Final = _names("chunk each lazy chunkMap")
ON_EACH: Final = _names(
    "each eachSpread map mapWithKeys mapToGroups flatMap transform filter reject tap pipe chunk chunkWhile groupBy keyBy sortBy "
    "sortByDesc partition reduce unique every some first values collapse"
)
STARTS: Final = (
    WRITES
    | DELETES
    | LOADS
    | ONE_ROW
    | NO_DATA
    | WHERES
    | ORDERS
    | BOUNDS
    | GROUPS
    | JOINS
    | SELECTS
    | CHUNKS
    | LAZIES
    | _names(
        "query with without withTrashed onlyTrashed withoutGlobalScopes withoutGlobalScope withCount newQuery newModelQuery on "
        "withoutEvents toBase unguarded from withoutTrashed"
    )
) - {"has", "last", "push", "sum", "max", "min", "contains", "missing", "on", "pop", "shift"}

RAW_CALLS: Final = _names("statement unprepared update insert delete affectingStatement")
RAW_QUESTIONS: Final = _names("select selectOne scalar selectResultSets cursor")

SCHEMA_DROPS: Final = _names("drop dropIfExists")
KEYS_OFF: Final = _names("disableForeignKeyConstraints withoutForeignKeyConstraints")
WIPES: Final = _names("dropAllTables dropDatabaseIfExists dropAllTypes")
WIPING_COMMANDS: Final = _names("migrate:fresh migrate:refresh migrate:reset db:wipe")

NO_COLUMN: Final = _names(
    "dropIndex dropUnique dropPrimary dropFullText dropSpatialIndex renameIndex engine innoDb charset collation comment temporary "
    "create getTable getPrefix dropIndexIfExists"
)
INDEXES: Final = {
    "index": "index",
    "unique": "unique",
    "primary": "primary",
    "fullText": "fulltext",
    "fulltext": "fulltext",
    "spatialIndex": "spatial",
    "rawIndex": "index",
    "vectorIndex": "index",
}
COLUMNS_OF: Final = {
    "id": ("id",),
    "timestamps": ("created_at", "updated_at"),
    "timestampsTz": ("created_at", "updated_at"),
    "nullableTimestamps": ("created_at", "updated_at"),
    "datetimes": ("created_at", "updated_at"),
    "softDeletes": ("deleted_at",),
    "softDeletesTz": ("deleted_at",),
    "softDeletesDatetime": ("deleted_at",),
    "rememberToken": ("remember_token",),
    "uuid": ("uuid",),
    "ulid": ("ulid",),
    "ipAddress": ("ip_address",),
    "macAddress": ("mac_address",),
}
MORPHS: Final = _names(
    "morphs nullableMorphs uuidMorphs nullableUuidMorphs ulidMorphs nullableUlidMorphs numericMorphs nullableNumericMorphs"
)
NULLABLE_BY_ITSELF: Final = _names(
    "timestamps timestampsTz nullableTimestamps datetimes softDeletes softDeletesTz softDeletesDatetime rememberToken nullableMorphs "
    "nullableUuidMorphs nullableUlidMorphs nullableNumericMorphs"
)
NUMBERS_ITSELF: Final = _names(
    "id increments bigIncrements mediumIncrements smallIncrements tinyIncrements integerIncrements"
)
DROPS_OF: Final = {
    "dropTimestamps": ("created_at", "updated_at"),
    "dropTimestampsTz": ("created_at", "updated_at"),
    "dropSoftDeletes": ("deleted_at",),
    "dropSoftDeletesTz": ("deleted_at",),
    "dropRememberToken": ("remember_token",),
}

OUTSIDE_CLASSES: Final = _names(
    "Storage File Http Mail Notification Queue Bus Event Artisan Redis Cache Process Broadcast"
)
OUTSIDE_FUNCTIONS: Final = _names(
    "unlink rename copy file_put_contents mkdir rmdir exec shell_exec system passthru proc_open mail dispatch dispatch_sync event "
    "broadcast curl_exec move_uploaded_file"
)
KNOWN_CLASSES: Final = _names(
    "Schema DB Str Arr Carbon CarbonImmutable Log Config self static parent App Hash Collection LazyCollection Uuid Ulid Date Crypt "
    "Builder Blueprint Closure Number Eloquent Model Lang Auth Gate Route URL Validator"
)
"""Classes that are no models, whatever is called on them."""

ANSWERS_ONLY: Final = _names(
    "count sizeof isset empty is_null is_string is_array is_numeric strlen mb_strlen array_key_exists in_array now today time "
    "microtime class_exists method_exists function_exists str_contains str_starts_with app config env info logger"
)
"""Functions whose result holds none of the data that they are given."""

ENDS_PHP: Final = _names("dd die exit ddd")

COLUMN_ACTS: Final = {
    "dropColumn": Act.DROP_COLUMN,
    "dropConstrainedForeignId": Act.DROP_COLUMN,
    "dropForeignIdFor": Act.DROP_COLUMN,
    "dropConstrainedForeignIdFor": Act.DROP_COLUMN,
}
