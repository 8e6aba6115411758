using System.ComponentModel;
using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.AI;
using PostTrain.Rollouts;
using PostTrain.Rollouts.Environments;
using PostTrain.Text.Chat;

namespace PostTrain.Tests.Rollouts.Environments;

/// <summary>Calls in the formats of Hermes, Llama 3.1 and Mistral; tools that fail, hang or do not exist.</summary>
public sealed class ToolTests
{
    private static readonly AIFunction Add = AIFunctionFactory.Create(
        [Description("Adds.")]
        (double a, double b) => (a + b).ToString(CultureInfo.InvariantCulture),
        "add"
    );

    public static TheoryData<string, string, string> Turns =>
        new()
        {
            // As Qwen2.5's and Hermes' templates write them.
            {
                "Hermes",
                "<tool_call>\n{\"name\": \"add\", \"arguments\": {\"a\": 1, \"b\": 2}}\n</tool_call><|im_end|>",
                "add{\"a\": 1, \"b\": 2}"
            },
            {
                "Hermes",
                "First.\n<tool_call>{\"name\":\"add\",\"arguments\":{}}</tool_call>\n"
                    + "<tool_call>{\"arguments\":{\"x\":[\"</\"]},\"name\":\"f\"}</tool_call>",
                "add{} f{\"x\":[\"</\"]}"
            },
            { "Hermes", "<tool_call>{\"name\":\"add\",\"arguments\":\"{\\\"a\\\":1}\"}</tool_call>", "add{\"a\":1}" },
            { "Hermes", "It is {\"name\": 3}.", "" },
            // As Llama 3.1's does; with the tag of its built-in tools; several; and an answer that begins with a brace.
            { "Llama 3.1", "{\"name\": \"add\", \"parameters\": {\"a\": 1, \"b\": 2}}<|eot_id|>", "add{\"a\": 1, \"b\": 2}" },
            { "Llama 3.1", "<|python_tag|>{\"name\": \"add\", \"parameters\": {}}<|eom_id|>", "add{}" },
            { "Llama 3.1", "{\"name\":\"f\",\"parameters\":{\"s\":\";\"}}; {\"name\":\"g\",\"parameters\":{}}", "f{\"s\":\";\"} g{}" },
            { "Llama 3.1", "{x} is a set.", "" },
            { "Llama 3.1", "The sum is 3.", "" },
            // As Mistral's do, older and newer.
            {
                "Mistral",
                "[TOOL_CALLS] [{\"name\": \"add\", \"arguments\": {\"a\": 1}, \"id\": \"D681PevKs\"}]</s>",
                "add{\"a\": 1}#D681PevKs"
            },
            { "Mistral", "[TOOL_CALLS]add[ARGS]{\"a\": 1}[TOOL_CALLS]f[ARGS]{}</s>", "add{\"a\": 1} f{}" },
            { "Mistral", "It is [1, 2].", "" },
        };

    [Theory]
    [MemberData(nameof(Turns))]
    public void Parse_ReadsTheUsualFormats(string format, string turn, string calls) =>
        Assert.Equal(
            calls,
            string.Join(
                ' ',
                Format(format).Parse(turn).Select(call => call.Name + call.Arguments.GetRawText() + (call.Id is { } id ? $"#{id}" : ""))
            )
        );

    [Theory]
    [InlineData("Hermes", "<tool_call>{\"name\": \"add\"", "has no </tool_call>")]
    [InlineData("Hermes", "<tool_call>{\"name\": \"add\", }</tool_call>", "is no JSON")]
    [InlineData("Hermes", "<tool_call>[1]</tool_call>", "is a JSON Array")]
    [InlineData("Hermes", "<tool_call>{\"arguments\": {}}</tool_call>", "has no \"name\"")]
    [InlineData("Hermes", "<tool_call>{\"name\": \"add\"}</tool_call>", "has no \"arguments\"")]
    [InlineData("Hermes", "<tool_call>{\"name\": \"add\", \"arguments\": 3}</tool_call>", "are a JSON Number")]
    [InlineData("Llama 3.1", "<|python_tag|>brave_search.call(query=\"x\")", "is no JSON")]
    [InlineData("Mistral", "[TOOL_CALLS] {\"name\": \"add\"}", "not followed by a JSON array")]
    [InlineData("Mistral", "[TOOL_CALLS]", "is empty")]
    public void Parse_SaysWhatIsMalformed(string format, string turn, string message) =>
        Assert.Contains(message, Assert.Throws<FormatException>(() => Format(format).Parse(turn)).Message, StringComparison.Ordinal);

    [Fact]
    public void Parse_OfDeepNesting_IsRefused()
    {
        string deep = new string('[', 100_000);
        Assert.Throws<FormatException>(() => ToolCallFormat.Hermes.Parse($"<tool_call>{deep}</tool_call>"));
        Assert.Throws<FormatException>(() => ToolCallFormat.Mistral.Parse($"[TOOL_CALLS] {deep}"));
        Assert.Empty(ToolCallFormat.Llama.Parse($"{{\"name\": {deep}"));
    }

    [Fact]
    public void Observe_WritesResultsAsTheTemplatesDo()
    {
        var call = new ToolCall("add", JsonDocument.Parse("{}").RootElement) { Id = "D681PevKs" };
        ToolResult[] two = [new(call, "3"), new(call, "é\"")];
        Assert.Equal(
            "\n<|im_start|>user\n<tool_response>\n3\n</tool_response>\n<tool_response>\né\"\n</tool_response><|im_end|>\n"
                + "<|im_start|>assistant\n",
            ToolCallFormat.Hermes.Observe(two)
        );
        Assert.Equal(
            "<|start_header_id|>ipython<|end_header_id|>\n\n3<|eot_id|><|start_header_id|>ipython<|end_header_id|>\n\né\"<|eot_id|>"
                + "<|start_header_id|>assistant<|end_header_id|>\n\n",
            ToolCallFormat.Llama.Observe(two)
        );
        Assert.Equal(
            "[TOOL_RESULTS] {\"content\":\"3\",\"call_id\":\"D681PevKs\"}[/TOOL_RESULTS]"
                + "[TOOL_RESULTS] {\"content\":\"é\\\"\",\"call_id\":\"D681PevKs\"}[/TOOL_RESULTS]",
            ToolCallFormat.Mistral.Observe(two)
        );
        Assert.Throws<ArgumentException>(() => ToolCallFormat.Hermes.Observe([]));
    }

    [Fact]
    public void Observe_ByATemplate_BeginsBehindTheTurnsEnd()
    {
        var template = new ChatTemplate(
            "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
                + "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
        );
        Assert.Equal(
            "\n<|im_start|>tool\n3<|im_end|>\n<|im_start|>assistant\n",
            ToolCallFormat.Hermes.With(template, "<|im_end|>").Observe([new ToolResult(null, "3")])
        );
        var empty = new ChatTemplate("{% for m in messages %}{{ m.role }}{% endfor %}");
        Assert.Throws<ArgumentException>(() => ToolCallFormat.Hermes.With(empty, "</s>").Observe([new ToolResult(null, "3")]));
    }

    [Theory]
    [InlineData("{\"name\": \"add\", \"arguments\": {\"a\": 1.5, \"b\": 2}}", "3.5")]
    [InlineData("{\"name\": \"subtract\", \"arguments\": {}}", "error: there is no tool subtract, only add, fail, hang, sleep, long")]
    [InlineData("{\"name\": \"fail\", \"arguments\": {}}", "error: division by zero")]
    [InlineData("{\"name\": \"hang\", \"arguments\": {}}", "error: hang gave no answer within 0.1 s")]
    [InlineData("{\"name\": \"sleep\", \"arguments\": {}}", "error: sleep gave no answer within 0.1 s")]
    [InlineData(
        "{\"name\": \"long\", \"arguments\": {}}",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…"
    )]
    [InlineData("{\"name\": }", "error: the call is no JSON: ")]
    public async Task Tools_AnswerOrSayWhatWentWrong(string call, string answer)
    {
        using var end = new ManualResetEventSlim();
        AIFunction[] tools =
        [
            Add,
            AIFunctionFactory.Create(string () => throw new DivideByZeroException("division by zero"), "fail"),
            AIFunctionFactory.Create(async () => await Task.Delay(Timeout.Infinite), "hang"),
            AIFunctionFactory.Create(() => end.Wait(), "sleep"),
            AIFunctionFactory.Create(() => new string('x', 10_000), "long"),
        ];
        var options = new ToolOptions { CallTimeout = TimeSpan.FromMilliseconds(100), MaxResultCharacters = 80 };
        string said = await Observed(new ToolEnvironment(tools, Bare, options), $"<tool_call>{call}</tool_call>") ?? "nothing";
        end.Set();
        Assert.StartsWith(answer, said, StringComparison.Ordinal);
        if (!answer.EndsWith(": ", StringComparison.Ordinal))
            Assert.Equal(answer, said);
    }

    [Fact]
    public async Task ATurnWithoutACall_Ends_AndTooManyCallsAreNotMade()
    {
        var environment = new ToolEnvironment([Add], Bare, new ToolOptions { MaxCallsPerTurn = 2 });
        Assert.Null(await Observed(environment, "It is 3."));
        string call = "<tool_call>{\"name\": \"add\", \"arguments\": {\"a\": 1, \"b\": 1}}</tool_call>";
        Assert.Equal("2|2|error: 3 calls in a turn, only 2 were made", await Observed(environment, call + call + call));
        Assert.Equal("add", environment.Schemas.Single().GetProperty("function").GetProperty("name").GetString());
        Assert.Equal("tools", Assert.Throws<ArgumentException>(() => new ToolEnvironment([], Bare)).ParamName);
        Assert.Equal("tools", Assert.Throws<ArgumentException>(() => new ToolEnvironment([Add, Add], Bare)).ParamName);
    }

    // Hermes' calls with bare results.
    private static ToolCallFormat Bare { get; } =
        ToolCallFormat.Of("bare", ToolCallFormat.Hermes.Parse, results => string.Join('|', results.Select(result => result.Content)));

    private static Task<string?> Observed(ToolEnvironment environment, string turn) =>
        environment.Begin(new EpisodeStart(0, "", 0)).ObserveAsync(new PolicyTurn(1, turn, turn, [1], RolloutFinish.Stop));

    private static ToolCallFormat Format(string name) =>
        ((ToolCallFormat[])[ToolCallFormat.Hermes, ToolCallFormat.Llama, ToolCallFormat.Mistral]).Single(format => format.Name == name);
}
