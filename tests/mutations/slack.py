"""What could be wrong in Backout's Slack, one fault at a time, and the test that must turn red for it."""

from __future__ import annotations

from tests.mutations.mutation import Mutation

INCIDENT = "tests/integration/test_slack_incident.py"
FAULTS = "tests/integration/test_slack_faults.py"
CALLS = "tests/integration/test_slack_calls.py"
HTTP = "tests/integration/test_slack_http.py"
OUTBOX = "tests/unit/service/test_outbox.py"
ESCALATION = "tests/unit/service/test_escalation.py"
DOOR_TESTS = "tests/unit/slack/test_door.py"
RENDERING = "tests/unit/slack/test_rendering.py"

DOOR = "adapters/slack_chat/door.py"
INCOMING = "adapters/slack_chat/incoming.py"
SENDING = "adapters/slack_chat/sending.py"
API = "adapters/slack_chat/api.py"
COURIER = "bot/service/courier.py"


MUTATIONS = (
    Mutation(
        name="no ack of a command",
        file=INCOMING,
        old='        await ack()\n        account, channel = body["user_id"], body["channel_id"]\n',
        new='        account, channel = body["user_id"], body["channel_id"]\n',
        tests=(f"{INCIDENT}::test_an_incident_has_its_own_channel",),
    ),
    Mutation(
        name="ack after the work",
        file=INCOMING,
        old='        await ack()\n        account, channel = body["user_id"], body["channel_id"]\n        text = typed_text(body.get("text") or "")\n',
        new='        account, channel = body["user_id"], body["channel_id"]\n        text = typed_text(body.get("text") or "")\n'
        "        await self._conversation.command(account=account, channel=channel, text=f\"{body['command']} {text}\", "
        "delivery_id=body['trigger_id'], response_url=body['response_url'])\n        await ack()\n",
        tests=(f"{INCIDENT}::test_an_ack_waits_for_no_host",),
    ),
    Mutation(
        name="a listener that raises after its ack",
        file=INCOMING,
        old='        trigger_id = body["trigger_id"]\n        delivery_id = f"{PLATFORM}:{trigger_id}"\n        if body["command"]',
        new='        trigger_id = body["no_such_key"]\n        delivery_id = f"{PLATFORM}:{trigger_id}"\n        if body["command"]',
        tests=(f"{INCIDENT}::test_an_incident_has_its_own_channel",),
    ),
    Mutation(
        name="a 429 is a refusal",
        file=API,
        old="        if status == 429 or word in LATER:\n",
        new="        if word == 'never':\n",
        tests=(f"{FAULTS}::test_rates_are_obeyed",),
    ),
    Mutation(
        name="Retry-After is not waited for",
        file=API,
        old="            wait_s = _retry_after(error)\n",
        new="            wait_s = _retry_after(error) * 0.01\n",
        tests=(f"{FAULTS}::test_rates_are_obeyed",),
    ),
    Mutation(
        name="the library's own retry is on",
        file=API,
        old="session=self._session, retry_handlers=[]",
        new="session=self._session",
        tests=(f"{FAULTS}::test_no_message_is_lost_or_doubled",),
    ),
    Mutation(
        name="a cut answer counts as not sent",
        file=API,
        old='            raise UnknownOutcomeError(f"the answer to {method} was lost ({_words(error)})") from error\n',
        new="            raise ChatLaterError(_words(error)) from error\n",
        tests=(
            f"{OUTBOX}::test_a_message_of_unknown_outcome_is_looked_for_before_it_is_sent_again",
            "tests/unit/slack/test_api.py",
        ),
    ),
    Mutation(
        name="sent again without a look",
        file=SENDING,
        old="        if sent is None and delivery.may_be_there:\n",
        new="        if sent is None and False:\n",
        tests=(f"{FAULTS}::test_no_message_is_lost_or_doubled",),
    ),
    Mutation(
        name="no outbox id in what is sent",
        file=SENDING,
        old='                    "outbox_id": delivery.message.id,\n',
        new='                    "outbox_id": "",\n',
        tests=(f"{FAULTS}::test_no_message_is_lost_or_doubled",),
    ),
    Mutation(
        name="the attempt is not written down",
        file=COURIER,
        old="        if external_id is None and self._keeper is not None:\n",
        new="        if external_id is None and self._keeper is None:\n",
        tests=(f"{OUTBOX}::test_a_message_of_unknown_outcome_is_looked_for_before_it_is_sent_again",),
    ),
    Mutation(
        name="a file is sent again without a look",
        file=SENDING,
        old="            if not await self._has_file(sent.channel, root.ts, file_name):\n",
        new="            if sent.channel:\n",
        tests=(f"{FAULTS}::test_no_file_is_lost_or_doubled",),
    ),
    Mutation(
        name="a refused message is tried for ever",
        file=COURIER,
        old='            given = error.external_id if isinstance(error, HalfShownError) else external_id or ""\n',
        new="            raise ChatLaterError(str(error)) from error\n",
        tests=(f"{OUTBOX}::test_a_refused_message_holds_up_nobody_and_is_told",),
    ),
    Mutation(
        name="edits are not paced",
        file=COURIER,
        old="        return max(paced_until, found.held_until.get(message_id, 0.0)) - time.monotonic()\n",
        new="        return min(0.0, paced_until)\n",
        tests=(f"{OUTBOX}::test_edits_of_one_message_are_folded",),
    ),
    Mutation(
        name="an outage is not told",
        file=COURIER,
        old="        if found.failures >= TOLD_AFTER:\n",
        new="        if found.failures < 0:\n",
        tests=(f"{OUTBOX}::test_a_platform_that_is_away_is_told_and_caught_up",),
    ),
    Mutation(
        name="a repeated delivery is not dropped in memory",
        file="adapters/chat_common/hands.py",
        old="        if delivery_id in self._known:\n",
        new="        if delivery_id in ():\n",
        tests=(f"{HTTP}::test_an_event_that_is_sent_again_has_one_effect",),
    ),
    Mutation(
        name="a repeated delivery is not dropped in the store",
        file="bot/service/dispatch.py",
        old="            if not await tx.first_delivery(command.delivery_id):\n",
        new="            if await tx.first_delivery(command.delivery_id) is None:\n",
        tests=(f"{INCIDENT}::test_what_is_sent_again_has_one_effect",),
    ),
    Mutation(
        name="the signature is not checked",
        file=DOOR,
        old="            return self._verifier.is_valid(raw, stamp, signature)\n",
        new="            return self._verifier is not None\n",
        tests=(f"{HTTP}::test_what_is_not_signed_does_nothing",),
    ),
    Mutation(
        name="over HTTP an ack waits for Bolt",
        file=DOOR,
        old='        wordless = taken.kind in WORDLESS or body.get("command") in self._commands\n',
        new='        wordless = taken.kind == "never"\n',
        tests=(f"{DOOR_TESTS}::test_an_ack_waits_for_nothing_behind_it",),
    ),
    Mutation(
        name="what waits at the door is lost at the end",
        file=DOOR,
        old="        while self._waiting:\n            self._begin(self._waiting.popleft())\n        await",
        new="        await",
        tests=(f"{DOOR_TESTS}::test_what_was_acknowledged_is_handed_over_at_the_end",),
    ),
    Mutation(
        name="buttons are remembered in memory",
        file="adapters/slack_chat/answers.py",
        old="        return json.dumps([self.decision_id, self.choice, self.typed, self.modal])\n",
        new="        value = json.dumps([self.decision_id, self.choice, self.typed, self.modal])\n"
        "        globals().setdefault('KNOWN', set()).add(value)\n        return value\n\n\n"
        "_loads = json.loads\n\n\ndef known(value: str) -> object:\n"
        "    return _loads(value) if value in globals().get('KNOWN', ()) else None\n\n\njson.loads = known  # type: ignore[assignment]\n",
        tests=(f"{INCIDENT}::test_old_buttons_work_after_a_restart",),
    ),
    Mutation(
        name="text is not escaped",
        file="adapters/slack_chat/text.py",
        old='    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")\n',
        new="    return text\n",
        tests=(RENDERING,),
    ),
    Mutation(
        name="a stranger is somebody",
        file="bot/service/parts.py",
        old="return next((p for p in self.settings.persons() if p.ids.get(platform) == account), None)",
        new="return next((p for p in self.settings.persons() if p.ids.get(platform) == account), self.settings.persons()[0])",
        tests=(f"{INCIDENT}::test_a_stranger_is_refused_in_command_modal_and_button",),
    ),
    Mutation(
        name="who may answer is not asked",
        file="bot/service/answers.py",
        old="        if reason := person.refusal(decision.permission, row.site):\n",
        new="        if reason := person.refusal_to_read(row.site):\n",
        tests=(f"{INCIDENT}::test_a_reader_is_refused_with_the_reason",),
    ),
    Mutation(
        name="the typed word counts in the modal only",
        file="bot/service/answers.py",
        old='        if choice.typed is not None and (typed_word or "").strip() != choice.typed:\n',
        new="        if choice.typed is not None and typed_word == '':\n",
        tests=(f"{INCIDENT}::test_a_forged_click_changes_nothing",),
    ),
    Mutation(
        name="a wrong word closes the modal",
        file=INCOMING,
        old='        if button.typed is not None and (typed or "").strip() != button.typed:\n',
        new="        if button.typed == '':\n",
        tests=(f"{INCIDENT}::test_a_grave_answer_shows_the_plan_and_wants_the_site_s_name",),
    ),
    Mutation(
        name="a grave answer has no modal",
        file="adapters/chat_common/words.py",
        old="    return choice.typed is not None or (",
        new="    return choice.typed == '' and (",
        tests=(f"{INCIDENT}::test_a_grave_answer_shows_the_plan_and_wants_the_site_s_name",),
    ),
    Mutation(
        name="an answered decision is answered again",
        file="bot/service/answers.py",
        old="    if decision.state is DecisionState.ANSWERED:\n",
        new="    if decision.state is None:\n",
        tests=(f"{INCIDENT}::test_a_button_turns_into_the_answer",),
    ),
    Mutation(
        name="votes are not shown",
        file="adapters/sql_store/chat_rows.py",
        old="        if await self.decision(decision.id) not in (None, decision):\n",
        new="        if decision.id == '':\n",
        tests=(f"{INCIDENT}::test_two_persons_where_two_are_asked_for",),
    ),
    Mutation(
        name="a taken name is taken over",
        file="adapters/slack_chat/rooms.py",
        old='                mine = channel.get("creator") == own and not channel.get("is_archived")\n',
        new="                mine = bool(own)\n",
        tests=(f"{INCIDENT}::test_a_channel_of_somebody_else_is_left_alone",),
    ),
    Mutation(
        name="a channel that another incident has is taken over",
        file="adapters/slack_chat/rooms.py",
        old='return str(channel["id"]) if mine and channel["id"] not in plan.known else None',
        new='return str(channel["id"]) if mine else None',
        tests=(f"{INCIDENT}::test_two_incidents_that_are_called_alike_have_two_channels",),
    ),
    Mutation(
        name="a new channel begins empty",
        file="bot/service/rooms.py",
        old="    await tx.forget_delivered(platform, incident_id, Place.CHANNEL)\n",
        new="",
        tests=(f"{OUTBOX}::test_a_channel_that_is_gone_is_opened_anew_with_all_that_was_said",),
    ),
    Mutation(
        name="a lost channel is only a refusal",
        file=SENDING,
        old="            raise RoomLostError(str(error)) from error\n",
        new="            raise\n",
        tests=("tests/unit/slack/test_sending.py",),
    ),
    Mutation(
        name="Backout does not come back into its channel",
        file=SENDING,
        old='            if error.error == "not_in_channel" and await self._joined(channel):\n',
        new="            if error.error == '':\n",
        tests=(f"{FAULTS}::test_backout_comes_back_when_it_was_removed",),
    ),
    Mutation(
        name="the status is not pinned",
        file="bot/service/rooms.py",
        old='            pin=sent.get(STATUS_SLOT, ""),\n',
        new="",
        tests=(f"{INCIDENT}::test_an_incident_has_its_own_channel",),
    ),
    Mutation(
        name="answers are seen by all",
        file="adapters/slack_chat/replies.py",
        old='            "response_type": "ephemeral",\n',
        new='            "response_type": "in_channel",\n',
        tests=(f"{INCIDENT}::test_a_wrong_command_is_answered_with_the_right_one",),
    ),
    Mutation(
        name="a message is noted once for each who pins it",
        file=INCOMING,
        old='                delivery_id=f"{PLATFORM}:note:{channel}:{ts}",\n',
        new='                delivery_id=f"{PLATFORM}:note:{channel}:{ts}:{account}",\n',
        tests=(f"{INCIDENT}::test_messages_go_into_the_timeline",),
    ),
    Mutation(
        name="a call edits the last one",
        file="bot/service/paging.py",
        old='            slot=f"call-{call.number}-direct",\n',
        new='            slot="call-direct",\n',
        tests=(f"{ESCALATION}::test_each_call_is_a_message_of_its_own_in_channel_and_to_the_person",),
    ),
    Mutation(
        name="an acknowledgement never lapses",
        file="bot/service/timers.py",
        old="            await lapse(tx, self._parts, incident_id, args)\n",
        new="            return\n",
        tests=(f"{CALLS}::test_a_call_that_was_taken_is_made_again_when_nothing_follows",),
    ),
    Mutation(
        name="the report is no file",
        file="bot/service/operations/close.py",
        old="        file_text=text,\n",
        new="",
        tests=(f"{CALLS}::test_the_report_is_a_file_in_both_channels",),
    ),
)
