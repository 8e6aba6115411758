using PostTrain.Data;
using PostTrain.Data.Records;
using PostTrain.RewardModeling;
using PostTrain.Tests.Support;
using PostTrain.Text;
using PostTrain.Text.Chat;

namespace PostTrain.Tests.Data;

/// <summary>The forms in which data sets are published, each with a record or two.</summary>
public sealed class RecordReaderTests : IDisposable
{
    private static readonly InstructionTemplate Marked = InstructionTemplate.Format("Q: {instruction} [{input}] A:");
    private static readonly InstructionTemplate Chat = InstructionTemplate.Chat(
        new ChatTemplate(
            "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}",
            new Dictionary<string, string> { ["eos_token"] = "</s>" }
        )
    );

    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    public static TheoryData<string, string, string> Demonstrations =>
        new()
        {
            { """{"prompt":"1+1=","completion":"2"}""", "1+1=", "2" },
            { """{"Instruction":"Add.","Input":"1, 1","Output":"2"}""", "Q: Add. [1, 1] A:", "2" },
            { """{"instruction":"Say hi.","input":"","output":"hi","text":"all of it"}""", "Q: Say hi. [] A:", "hi" },
            { """{"instruction":"Who?","context":"He is Tom.","response":"Tom","category":"qa"}""", "Q: Who? [He is Tom.] A:", "Tom" },
            { """{"question":"How many?","answer":"1+1=<<1+1=2>>2\n#### 2"}""", "Q: How many? [] A:", "1+1=<<1+1=2>>2\n#### 2" },
            { """{"problem":"$1+1$","solution":"It is $\\boxed{2}$.","answer":"2"}""", "Q: $1+1$ [] A:", "It is $\\boxed{2}$." },
            { """{"query":"1+1?","response":"2"}""", "Q: 1+1? [] A:", "2" },
            {
                """{"ID":"c-1","Body":"A pack costs 76 dollars. There is a discount of 25 """
                    + """dollars","Question":"What is to be paid?","Answer":51.0}""",
                "Q: A pack costs 76 dollars. There is a discount of 25 dollars. What is to be paid? [] A:",
                "51"
            },
            { """{"Body":"He has 3 cookies.","Question":"How many?","Answer":2.50}""", "Q: He has 3 cookies. How many? [] A:", "2.5" },
            { """{"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"ho"}]}""", "Q: hi [] A:", "ho" },
            { """{"conversations":[{"from":"human","value":"hi"},{"from":"gpt","value":"ho"}]}""", "Q: hi [] A:", "ho" },
            {
                """{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"hi"},"""
                    + """{"role":"assistant","content":"ho"}]}""",
                "Q: Be brief.\n\nhi [] A:",
                "ho"
            },
            { """{"prompt":[{"role":"user","content":"hi"}],"completion":[{"role":"assistant","content":"ho"}]}""", "Q: hi [] A:", "ho" },
        };

    [Theory]
    [MemberData(nameof(Demonstrations))]
    public void Demonstrations_InEveryForm(string record, string prompt, string completion)
    {
        Assert.Equal([new Demonstration(prompt, completion)], RecordReader.Demonstrations(Lines(record), Marked));
        Assert.Equal(
            [new Demonstration(prompt, completion), new Demonstration(prompt, completion)],
            RecordReader.Demonstrations(directory.Write("array.json", $"\uFEFF \n[{record},\n{record}]"), Marked)
        );
    }

    [Fact]
    public void Instances_AreADemonstrationEach()
    {
        var read = RecordReader.Demonstrations(
            Lines(
                """{"id":"seed_1","instruction":"Turn it round.","instances":[{"input":"ab","output":"ba"},"""
                    + """{"input":"","output":"nothing"}],"is_classification":false}"""
            ),
            InstructionTemplate.Plain
        );
        Assert.Equal([new Demonstration("Turn it round.\nab", "ba"), new Demonstration("Turn it round.", "nothing")], read);
    }

    [Fact]
    public void Conversations_ThroughAChatTemplate_LearnEveryMessageOfTheAssistant()
    {
        var read = RecordReader.Demonstrations(
            Lines(
                """{"conversations":[{"from":"system","value":"s"},{"from":"human","value":"a"},"""
                    + """{"from":"gpt","value":"b"},{"from":"human","value":"c"},{"from":"gpt","value":"d"}]}"""
            ),
            Chat
        );
        // With the template's end of the turn: nothing is to be added to what it rendered.
        Assert.Equal(
            [
                new Demonstration(
                    MarkedText.Rendered("<system>s</s><user>a</s><assistant>"),
                    MarkedText.Rendered("b</s><user>c</s><assistant>d</s>") with
                    {
                        Learnt = [new(0, 5), new(27, 32)],
                    }
                ),
            ],
            read
        );
        Assert.Equal(
            [new Demonstration(MarkedText.Rendered("<user>Add.\n\n1, 1</s><assistant>"), MarkedText.Rendered("2</s>"))],
            RecordReader.Demonstrations(Lines("""{"instruction":"Add.","input":"1, 1","output":"2"}"""), Chat)
        );
    }

    public static TheoryData<string, string, string, string> Pairs =>
        new()
        {
            { """{"prompt":"p","chosen":"c","rejected":"r"}""", "p", "c", "r" },
            { """{"instruction":"Add.","input":"1, 1","output":"2","rejected":"3","chosen":"2"}""", "Q: Add. [1, 1] A:", "2", "3" },
            { """{"qid":1,"question":"Why?","date":"d","response_j":"so","response_k":"no"}""", "Q: Why? A:", "so", "no" },
            { """{"chosen":"I say yes.","rejected":"I say no."}""", "I say", " yes.", " no." },
            {
                """{"chosen":"\n\nHuman: hi\n\nAssistant: Well, ho","rejected":"\n\nHuman: hi\n\nAssistant: Well, go"}""",
                "\n\nHuman: hi\n\nAssistant:",
                " Well, ho",
                " Well, go"
            },
            {
                """{"chosen":[{"content":"hi","role":"user"},"""
                    + """{"content":"ho","role":"assistant"}],"rejected":[{"content":"hi","role":"user"},"""
                    + """{"content":"go","role":"assistant"}]}""",
                "Q: hi A:",
                "ho",
                "go"
            },
            {
                """{"prompt":"hi","chosen":[{"role":"assistant","content":"ho"}],"rejected":[{"role":"assistant","content":"go"}]}""",
                "Q: hi A:",
                "ho",
                "go"
            },
            {
                """{"prompt":[{"role":"user","content":"hi"}],"chosen":[{"role":"assistant","content":"ho"}], """
                    + """  "rejected":[{"role":"assistant","content":"go"}]}""",
                "Q: hi A:",
                "ho",
                "go"
            },
            { """{"prompt":[{"role":"user","content":"hi"}],"chosen":"ho","rejected":"go"}""", "Q: hi A:", "ho", "go" },
        };

    [Theory]
    [MemberData(nameof(Pairs))]
    public void Pairs_InEveryForm(string record, string prompt, string chosen, string rejected)
    {
        var template = InstructionTemplate.Format(
            record.Contains("1, 1", StringComparison.Ordinal) ? "Q: {instruction} [{input}] A:" : "Q: {instruction} A:"
        );
        Assert.Equal([new PreferencePair(prompt, chosen, rejected)], RecordReader.Pairs(Lines(record), template));
    }

    [Fact]
    public void Problems_KeepWhatIsCompared()
    {
        var read = RecordReader.Problems(
            Lines(
                """{"question":"a","answer":"1+1=2\n#### 1,002\n"}""",
                """{"Body":"b.","Question":"c?","Answer":-3.0}""",
                """{"prompt":"d=","answer":7}""",
                """{"problem":"e","solution":"so \\boxed{5}"}""",
                """{"prompt":[{"role":"user","content":"f"}],"ground_truth":"6"}"""
            ),
            InstructionTemplate.Plain
        );
        Assert.Equal([new("a", "1,002"), new("b. c?", "-3"), new("d=", "7"), new("e", "so \\boxed{5}"), new("f", "6")], read);
    }

    [Fact]
    public void Judged_AndSteps()
    {
        Assert.Equal(
            [new JudgedCompletion("p", "c", true), new JudgedCompletion("p", "d", false)],
            RecordReader.Judged(Lines("""{"prompt":"p","chosen":"c","rejected":"d"}"""), InstructionTemplate.Plain)
        );
        Assert.Equal(
            [new JudgedCompletion("p", "c", true), new JudgedCompletion("p", "d", false)],
            RecordReader.Judged(
                Lines("""{"prompt":"p","completion":"c","label":true}""", """{"prompt":"p","completion":"d","label":0}"""),
                InstructionTemplate.Plain
            )
        );
        var steps = StepwiseExample.Read(
            Lines("""{"prompt":"p","completions":["a","b"],"labels":[true,false]}""", """{"problem":"q","steps":["a"],"labels":[1]}""")
        );
        Assert.Equal(["p", "q"], steps.Select(step => step.Prompt));
        Assert.Equal([1, 0], steps[0].Labels);
        Assert.Equal(["a", "b"], steps[0].Steps);
        Assert.Equal([1], steps[1].Labels);
    }

    // Each message names the file, the place, what was found and what was expected.
    [Theory]
    [InlineData("{\"question\":\"a\"}\n", "line 1", "has the fields question, expected prompt and completion")]
    [InlineData("{\"prompt\":\"a\",\"completion\":\"b\"}\n\n{\"prompt\":\"a\"}", "line 3", "has the fields prompt, expected")]
    [InlineData("[{\"prompt\":\"a\",\"completion\":\"b\"},{}]", "record 2", "empty object")]
    [InlineData("", "records.jsonl", "holds no records")]
    [InlineData(" \n", "records.jsonl", "holds no records")]
    [InlineData("[]", "records.jsonl", "holds no records")]
    [InlineData("{\"prompt\":\"a\",\"completion\"", "line 1", "one object a line")]
    [InlineData("[\n{\"prompt\":\"a\",\n", "line 3", "one JSON array of objects")]
    [InlineData("{\n  \"prompt\": \"a\"\n}", "line 1", "one object a line")]
    [InlineData("[1]", "record 1", "a JSON number, expected an object")]
    [InlineData("7", "line 1", "a JSON number, expected an object")]
    [InlineData("{\"prompt\":\"a\",\"completion\":[\"b\"]}", "line 1", "the field completion is a JSON array, expected a text")]
    [InlineData("{\"messages\":\"hi\"}", "line 1", "the field messages is a JSON string, expected a list of messages")]
    [InlineData("{\"messages\":[{\"role\":\"user\"},{\"content\":\"x\"}]}", "line 1", "role and content")]
    [InlineData("{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", "line 1", "expected the assistant's message at the end")]
    [InlineData(
        "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"},{\"role\":\"assistant\",\"content\":\"x\"},{\"role\":\"user\""
            + ",\"content\":\"x\"},{\"role\":\"assistant\",\"content\":\"x\"}]}",
        "line 1",
        "several turns need a chat template"
    )]
    [InlineData("{\"instruction\":\"a\",\"instances\":[{\"input\":\"b\"}]}", "instances[0]", "has the fields input, expected")]
    [InlineData("{\"prompt\":\"\\ud800\",\"completion\":\"b\"}", "line 1", "surrogate")]
    public void BrokenFiles_SayWhatIsWrong(string text, string place, string reason)
    {
        var message = Assert
            .Throws<InvalidDataException>(() =>
                RecordReader.Demonstrations(directory.Write("records.jsonl", text), InstructionTemplate.Plain)
            )
            .Message;
        Assert.Contains("records.jsonl", message, StringComparison.Ordinal);
        Assert.Contains(place, message, StringComparison.Ordinal);
        Assert.Contains(reason, message, StringComparison.Ordinal);
        Assert.DoesNotContain("Parameter", message, StringComparison.Ordinal);
    }

    [Fact]
    public void BrokenPairs_SayWhatIsWrong()
    {
        string Message(string record) =>
            Assert.Throws<InvalidDataException>(() => RecordReader.Pairs(Lines(record), InstructionTemplate.Plain)).Message;
        Assert.Contains("expected chosen and rejected", Message("""{"prompt":"a","chosen":"b"}"""), StringComparison.Ordinal);
        Assert.Contains(
            "expected conversations that begin with the same messages, or a prompt",
            Message("""{"chosen":[{"role":"assistant","content":"b"}],"rejected":[{"role":"assistant","content":"c"}]}"""),
            StringComparison.Ordinal
        );
        Assert.Contains("empty", Message("""{"chosen":"","rejected":"b"}"""), StringComparison.Ordinal);
        Assert.Contains(
            "as many labels",
            Assert
                .Throws<InvalidDataException>(() =>
                    StepwiseExample.Read(Lines("""{"prompt":"a","completions":["b","c"],"labels":[true]}"""))
                )
                .Message,
            StringComparison.Ordinal
        );
        Assert.Throws<FileNotFoundException>(() => RecordReader.Pairs(directory.File("none.jsonl"), InstructionTemplate.Plain));
    }

    [Fact]
    public void Templates_ByHand()
    {
        Assert.Equal("Q: a [b] A:", Marked.Prompt("a", "b"));
        var format = InstructionTemplate.Format("[inst] {instruction} {input} [/inst]");
        Assert.Equal(
            ["[inst] a b [/inst]", "[inst] a [/inst]", "[inst] say {input} b [/inst]"],
            new[] { format.Prompt("a", "b"), format.Prompt("a", " "), format.Prompt("say {input}", "b") }
        );
        // Without a place of its own an input follows the instruction.
        Assert.Equal(
            ["Q a\nb", "Q a"],
            new[]
            {
                InstructionTemplate.Format("Q {instruction}").Prompt("a", "b"),
                InstructionTemplate.Format("Q {instruction}").Prompt("a"),
            }
        );
        Assert.EndsWith(
            "### Instruction:\na\n\n### Input:\nb\n\n### Response:\n",
            InstructionTemplate.Alpaca.Prompt("a", "b"),
            StringComparison.Ordinal
        );
        Assert.EndsWith("### Instruction:\na\n\n### Response:\n", InstructionTemplate.Alpaca.Prompt("a"), StringComparison.Ordinal);
        Assert.EndsWith(
            "<answer> answer here </answer>. User: a Assistant:",
            InstructionTemplate.R1Zero.Prompt("a"),
            StringComparison.Ordinal
        );
        Assert.Throws<ArgumentException>(() => InstructionTemplate.Format("no place"));
    }

    [Fact]
    public void Messages_AreEqualByTheirFields()
    {
        Assert.Equal(
            new ChatMessage("user", "a"),
            ChatMessage.FromJson(System.Text.Json.JsonDocument.Parse("""{"content":"a","role":"user"}""").RootElement)
        );
        Assert.Equal(new ChatMessage("user", "a").GetHashCode(), new ChatMessage("user", "a").GetHashCode());
        Assert.NotEqual(new ChatMessage("user", "a"), new ChatMessage("user", "b"));
        Assert.NotEqual(new ChatMessage("user", "a"), new ChatMessage("user", "a").With("name", "x"));
    }

    private string Lines(params string[] records) => directory.Write("records.jsonl", string.Join('\n', records));
}
