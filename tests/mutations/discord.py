"""What could be wrong in Backout's Discord, one fault at a time, and the test that must turn red for it."""

from __future__ import annotations

from tests.mutations.mutation import Mutation

INCIDENT = "tests/integration/test_discord_incident.py"
FAULTS = "tests/integration/test_discord_faults.py"
CALLS = "tests/integration/test_discord_calls.py"
BOTH = "tests/integration/test_both_chats.py"
GATEWAY_TESTS = "tests/unit/discord/test_gateway.py"
API_TESTS = "tests/unit/discord/test_api.py"
SENDING_TESTS = "tests/unit/discord/test_sending.py"
ROOM_TESTS = "tests/unit/discord/test_rooms.py"
RENDERING = "tests/unit/discord/test_rendering.py"

API = "adapters/discord_chat/api.py"
INCOMING = "adapters/discord_chat/incoming.py"
CONVERSATION = "adapters/discord_chat/conversation.py"
SENDING = "adapters/discord_chat/sending.py"
ROOMS = "adapters/discord_chat/rooms.py"
GATEWAY = "adapters/discord_chat/gateway.py"
ANSWERS = "adapters/discord_chat/answers.py"

MUTATIONS = (
    Mutation(
        name="no first answer",
        file=INCOMING,
        old='            has_it = await self._answered(deed, {"type": THINKING, "data": {"flags": EPHEMERAL}})\n',
        new="            has_it = True\n",
        tests=(f"{INCIDENT}::test_an_incident_has_its_own_channel",),
    ),
    Mutation(
        name="the first answer after the work",
        file=INCOMING,
        old="            if await answered:\n                await work()\n\n        if not self._hands.take(deed.delivery_id, later):\n            return\n",
        new="            await answered\n\n        if not self._hands.take(deed.delivery_id, later):\n            return\n        await work()\n",
        tests=(f"{INCIDENT}::test_a_first_answer_waits_for_no_host",),
    ),
    Mutation(
        name="answers are seen by all",
        file=INCOMING,
        old='{"type": THINKING, "data": {"flags": EPHEMERAL}}',
        new='{"type": THINKING}',
        tests=(f"{INCIDENT}::test_a_wrong_command_is_answered_with_the_reason",),
    ),
    Mutation(
        name="a lost first answer is not given again",
        file=INCOMING,
        old="                if time.monotonic() - deed.at > AGAIN_LIMIT_S:\n",
        new="                if deed.at:\n",
        tests=(f"{FAULTS}::test_an_answer_to_one_person_is_there_once",),
    ),
    Mutation(
        name="a second first answer counts as refused",
        file=INCOMING,
        old="                if error.code == ANSWERED:\n                    return True\n",
        new="",
        tests=(f"{FAULTS}::test_an_answer_to_one_person_is_there_once",),
    ),
    Mutation(
        name="what was told to have failed is done all the same",
        file=INCOMING,
        old="            if await answered:\n                await work()\n",
        new="            await answered\n            await work()\n",
        tests=(f"{FAULTS}::test_what_a_person_was_told_has_failed_is_not_done",),
    ),
    Mutation(
        name="answers are followups",
        file=CONVERSATION,
        old='                        "PATCH",\n                        "/webhooks/{application}/{token}/messages/@original",\n',
        new='                        "POST",\n                        "/webhooks/{application}/{token}",\n',
        tests=(f"{FAULTS}::test_an_answer_to_one_person_is_there_once",),
    ),
    Mutation(
        name="a submit after a restart is nobody's",
        file=GATEWAY,
        old="        await self.incoming.on_other(interaction)\n",
        new="        del interaction\n",
        tests=(f"{INCIDENT}::test_old_buttons_and_an_open_form_work_after_a_restart",),
    ),
    Mutation(
        name="buttons are not known again",
        file=GATEWAY,
        old="        self.add_dynamic_items(AnswerButton)\n",
        new="",
        tests=(f"{INCIDENT}::test_a_button_turns_into_the_answer",),
    ),
    Mutation(
        name="a long name of a decision is cut",
        file=ANSWERS,
        old='        return f"backout:{way}:{short_name(self.decision)}:{self.choice}"[:CUSTOM_ID_LIMIT]\n',
        new="        return whole[:CUSTOM_ID_LIMIT]\n",
        tests=(f"{INCIDENT}::test_a_decision_with_a_long_name_has_buttons_too",),
    ),
    Mutation(
        name="a stranger is offered what there is",
        file=INCOMING,
        old="        if person is None:\n            return []\n",
        new='        person = person or "Anna"\n',
        tests=(f"{INCIDENT}::test_options_complete_themselves",),
    ),
    Mutation(
        name="everything is offered to everybody",
        file="bot/service/offers.py",
        old='    return [(one.id, f"{site}: {one.question}") for one, site in found if may_answer(person, one, site)]\n',
        new='    return [(one.id, f"{site}: {one.question}") for one, site in found]\n',
        tests=(f"{INCIDENT}::test_options_complete_themselves",),
    ),
    Mutation(
        name="a 429 is a refusal",
        file=API,
        old="        if status == 429:\n",
        new="        if status == 430:\n",
        tests=(f"{API_TESTS}::test_a_429_is_waited_for_where_it_is_short",),
    ),
    Mutation(
        name="a 429 is called again at once",
        file=API,
        old="            self._rates.block(route, major, everywhere=everywhere, wait_s=wait_s, now=time.monotonic())\n",
        new="            del everywhere\n",
        tests=(f"{API_TESTS}::test_a_429_is_waited_for_where_it_is_short",),
    ),
    Mutation(
        name="the headers of a bucket are not read",
        file=API,
        old="        self._rates.note(route, major, told, time.monotonic())\n",
        new="        del told\n",
        tests=(f"{API_TESTS}::test_the_headers_of_a_bucket_are_obeyed",),
    ),
    Mutation(
        name="a cut answer counts as not sent",
        file=API,
        old='            raise UnknownOutcomeError(f"the answer to {route} was lost ({_words(error)})") from error\n',
        new="            raise ChatLaterError(_words(error)) from error\n",
        tests=(f"{API_TESTS}::test_each_failure_has_its_own_meaning",),
    ),
    Mutation(
        name="a 5xx counts as not sent",
        file=API,
        old='            return UnknownOutcomeError(f"Discord answered {route} with {status}")\n',
        new='            return ChatLaterError(f"Discord answered {route} with {status}")\n',
        tests=(f"{API_TESTS}::test_each_failure_has_its_own_meaning",),
    ),
    Mutation(
        name="sent again without a look",
        file=SENDING,
        old="        if sent is None and look:\n",
        new="        if sent is None and delivery.message.revision < 0:\n",
        tests=(f"{FAULTS}::test_a_message_is_found_after_its_nonce_is_forgotten",),
    ),
    Mutation(
        name="said anew without a look",
        file=SENDING,
        old="        again = await self._found(delivery, channel, mark)\n",
        new="        again: Sent | None = None\n",
        tests=(f"{SENDING_TESTS}::test_what_is_said_anew_is_said_once",),
    ),
    Mutation(
        name="no mark in what is sent",
        file="adapters/discord_chat/rendering.py",
        old='    return {**embed, "footer": {"text": mark}} if mark else embed\n',
        new="    return embed if mark else embed\n",
        tests=(f"{FAULTS}::test_a_message_is_found_after_its_nonce_is_forgotten",),
    ),
    Mutation(
        name="only the newest page is looked through",
        file=SENDING,
        old="            if len(page) < PAGE:\n",
        new="            if len(page) <= PAGE:\n",
        tests=(f"{SENDING_TESTS}::test_a_long_channel_is_looked_through_to_its_end",),
    ),
    Mutation(
        name="a deleted message's nonce is used again",
        file=SENDING,
        old='        nonce = {"nonce": f"{mark}.{delivery.message.revision}"[:25], "enforce_nonce": True}\n',
        new='        nonce = {"nonce": mark, "enforce_nonce": True}\n',
        tests=(f"{SENDING_TESTS}::test_a_message_that_was_deleted_is_said_anew",),
    ),
    Mutation(
        name="a question stands in the thread alone",
        file=SENDING,
        old="        alone = delivery.decision is not None or delivery.message.message.slot == REPORT_SLOT\n",
        new="        alone = delivery.message.message.slot == REPORT_SLOT\n",
        tests=(f"{SENDING_TESTS}::test_a_step_s_messages_stand_in_its_thread_and_a_question_in_the_channel",),
    ),
    Mutation(
        name="a sleeping thread is not woken",
        file=SENDING,
        old="                if error.code != THREAD_ASLEEP:\n                    raise\n",
        new="                raise DiscordRefusedError(str(error), error.code) from error\n",
        tests=(f"{SENDING_TESTS}::test_a_thread_that_sleeps_is_woken_for_an_edit",),
    ),
    Mutation(
        name="a lost channel is only a refusal",
        file=SENDING,
        old="            raise RoomLostError(str(error)) from error\n",
        new="            raise\n",
        tests=(f"{SENDING_TESTS}::test_a_deleted_channel_is_lost",),
    ),
    Mutation(
        name="everybody may be notified",
        file="adapters/discord_chat/rendering.py",
        old='            "allowed_mentions": {"parse": [], "users": list(self.pings)},\n',
        new='            "allowed_mentions": {"parse": ["users", "everyone"]},\n',
        tests=(f"{INCIDENT}::test_nobody_is_notified_who_is_not_meant",),
    ),
    Mutation(
        name="text is not escaped",
        file="adapters/discord_chat/text.py",
        old='    marked = _MARKS.sub(r"\\\\\\1", text)\n',
        new="    marked = text\n",
        tests=(f"{RENDERING}::test_nothing_in_a_text_is_markup_or_a_mention",),
    ),
    Mutation(
        name="the channel is open to all",
        file=ROOMS,
        old='                {"id": self._guild, "type": ROLE, "allow": "0", "deny": str(VIEW)},\n',
        new="",
        tests=(f"{ROOM_TESTS}::test_the_channel_is_seen_by_its_people_alone",),
    ),
    Mutation(
        name="the bot locks itself out",
        file=ROOMS,
        old='                {"id": own, "type": MEMBER, "allow": str(FOR_BOT), "deny": "0"},\n',
        new="",
        tests=(f"{ROOM_TESTS}::test_the_channel_is_seen_by_its_people_alone",),
    ),
    Mutation(
        name="a channel that an earlier try has made is made again",
        file=ROOMS,
        old="        mine = [one for one in channels if self._is_ours(one, plan, own)]\n",
        new="        mine: list[dict[str, Any]] = []\n",
        tests=(f"{ROOM_TESTS}::test_a_channel_that_an_earlier_try_has_made_is_kept",),
    ),
    Mutation(
        name="the next category is called like the full one",
        file=ROOMS,
        old='        numbered = name if not mine else f"{name} {len(mine) + 1}"\n',
        new="        numbered = name\n",
        tests=(f"{ROOM_TESTS}::test_a_full_archive_is_followed_by_the_next",),
    ),
    Mutation(
        name="the archive can be written to",
        file=ROOMS,
        old="        allow, deny = allow & ~TO_WRITE, deny | TO_WRITE\n",
        new="        allow, deny = allow & ~0, deny | 0\n",
        tests=(f"{ROOM_TESTS}::test_a_channel_is_put_away_read_only_for_the_same_people",),
    ),
    Mutation(
        name="a topic that has to wait holds up all",
        file=ROOMS,
        old="            if error.after_s is None:\n                raise\n",
        new="            if error:\n                raise\n",
        tests=(f"{ROOM_TESTS}::test_a_topic_that_has_to_wait_holds_up_nothing",),
    ),
    Mutation(
        name="a deleted channel is found at the next message only",
        file=GATEWAY,
        old="        await self.incoming.on_channel_gone(str(channel.id))\n",
        new="        del channel\n",
        tests=(f"{GATEWAY_TESTS}::test_a_deleted_channel_is_told_at_once",),
    ),
    Mutation(
        name="a closed gateway is not told",
        file=GATEWAY,
        old="            await self._inbox.hearing(PLATFORM, trouble)\n",
        new="            log.info(trouble)\n",
        tests=(f"{FAULTS}::test_a_refused_intent_is_told_with_what_to_do",),
    ),
    Mutation(
        name="a closed gateway stays closed",
        file=GATEWAY,
        old="            await asyncio.sleep(min(self._options.retry_interval_s * 2**self._failures, LONGEST_WAIT_S))\n",
        new="            await asyncio.sleep(3600)\n",
        tests=(f"{FAULTS}::test_a_refused_intent_is_told_with_what_to_do",),
    ),
    Mutation(
        name="a repeated delivery is taken again",
        file="adapters/chat_common/hands.py",
        old="        if delivery_id in self._known:\n",
        new="        if delivery_id in ():\n",
        tests=(f"{INCIDENT}::test_what_is_delivered_again_has_one_effect",),
    ),
    Mutation(
        name="a message is noted once for each who asks for it",
        file=CONVERSATION,
        old='                delivery_id=f"{PLATFORM}:note:{message_id}",\n',
        new="                delivery_id=deed.delivery_id,\n",
        tests=(f"{INCIDENT}::test_messages_go_into_the_timeline",),
    ),
    Mutation(
        name="a thread is another channel",
        file=INCOMING,
        old='    return str(parent or interaction.channel_id or "")\n',
        new='    return str(interaction.channel_id or parent or "")\n',
        tests=(f"{INCIDENT}::test_commands_work_in_a_thread",),
    ),
    Mutation(
        name="two accounts are two persons",
        file="bot/service/answers.py",
        old="    votes = {**decision.votes, person.name: choice.key}\n",
        new='    votes = {**decision.votes, f"{person.name}{len(decision.votes)}": choice.key}\n',
        tests=(f"{BOTH}::test_two_accounts_of_one_person_are_one_approval",),
    ),
)
