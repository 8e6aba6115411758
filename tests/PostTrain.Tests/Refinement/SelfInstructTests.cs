using Microsoft.Extensions.AI;
using PostTrain.Data;
using PostTrain.Data.Curation;
using PostTrain.Refinement;
using PostTrain.Refinement.Instructions;
using PostTrain.Refinement.Writing;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Tests.Support;

namespace PostTrain.Tests.Refinement;

public sealed class SelfInstructTests
{
    private static readonly InstructionTask[] Seeds =
    [
        .. Enumerable.Range(0, 8).Select(i => new InstructionTask($"Seed task number {i} about {Word(i)}", [new($"in {i}", $"out {i}")])),
        new("Tell whether the sentence is glad or sad", [new("I win", "glad"), new("I lose", "sad")], IsClassification: true),
    ];

    private static string Word(int i) => new((char)('a' + i % 26), 3 + i / 26);

    // A source that proposes instructions of its own, each distinct, and answers the other questions.
    private static ITextSource Source(
        Func<string, ulong, string> propose,
        Func<string, string>? instances = null,
        List<string>? asked = null
    ) =>
        TextSource.Of(
            (prompts, request, _) =>
            {
                asked?.AddRange(prompts.Select(prompt => prompt.Text));
                return Task.FromResult<IReadOnlyList<SourcedText>>([
                    .. prompts.Select(
                        (prompt, i) =>
                            new SourcedText(
                                prompt.StartsWith("Come up", StringComparison.Ordinal) ? propose(prompt, request.Seed + (ulong)i)
                                : prompt.EndsWith("classification?", StringComparison.Ordinal)
                                    ? (prompt.Contains("Tell if it is ", StringComparison.Ordinal) ? " Yes" : " No")
                                : (instances ?? Instances)(prompt)
                            )
                    ),
                ]);
            }
        );

    private static string Instances(string prompt) =>
        prompt.Contains("Class label:", StringComparison.Ordinal)
            ? "Class label: good\nInput: sun\nClass label: bad\nInput: rain"
            : "Example 1\nInput: x\nOutput: y";

    private static string Numbered(string prompt, ulong seed)
    {
        var random = new Random((int)(seed % int.MaxValue));
        return $" Write {Word(random.Next(26))} {Word(random.Next(26))} {Word(random.Next(26))} again\n10. Tell if it is "
            + $"{Word(random.Next(26))} {Word(random.Next(26))} {Word(random.Next(26))}";
    }

    private static readonly SelfInstructOptions Small = new()
    {
        Tasks = 20,
        Rounds = 6,
        RequestsPerRound = 3,
        Seed = 4,
    };

    private static async Task<List<SelfInstructReport>> Rounds(SelfInstruct run, CancellationToken cancellation = default)
    {
        var reports = new List<SelfInstructReport>();
        await foreach (var report in run.RunAsync(cancellation))
            reports.Add(report);
        return reports;
    }

    [Fact]
    public async Task Run_GrowsThePool_OfDissimilarInstructions()
    {
        var run = new SelfInstruct(Seeds, Source(Numbered), Small);
        var reports = await Rounds(run);
        var pool = Seeds.Select(task => task.Instruction).ToList();
        foreach (var report in reports)
        {
            Assert.Equal(report.Kept.Count, report.Similarities.Count);
            foreach (var (task, similarity) in report.Kept.Zip(report.Similarities))
            {
                Assert.Equal(pool.Max(other => RougeL.Score(task.Instruction, other).F1), similarity);
                Assert.InRange(similarity, 0, 0.7 - 1e-12);
                pool.Add(task.Instruction);
                Assert.Equal(
                    task.IsClassification ? [new("sun", "good"), new("rain", "bad")] : [new InstructionInstance("x", "y")],
                    task.Instances
                );
                Assert.Equal(task.IsClassification, task.Instruction.StartsWith("Tell", StringComparison.Ordinal));
            }
            Assert.Equal(pool.Count, report.Pool);
            Assert.Equal(6, report.Proposed);
            Assert.Equal(6, report.Kept.Count + report.Rejections.GetValueOrDefault(SelfInstructRejection.Similar));
            Assert.Equal(report.Kept.Count, report.Metrics()["kept"]);
        }
        Assert.Equal(pool.Skip(Seeds.Length), run.Generated.Select(task => task.Instruction));
        Assert.Contains(run.Generated, task => task.IsClassification);
        Assert.Contains(run.Generated, task => !task.IsClassification);
        Assert.Equal(Enumerable.Range(1, reports.Count), reports.Select(report => report.Round));
    }

    [Fact]
    public async Task Prompts_ShowSixSeedsAndTwoGenerated_AndEightSeedsAtFirst()
    {
        var asked = new List<string>();
        var run = new SelfInstruct(Seeds, Source(Numbered, asked: asked), Small with { RequestsPerRound = 1 });
        await run.StepAsync();
        Assert.Equal(8, Shown(asked[0]).Intersect(Seeds.Select(task => task.Instruction)).Count());
        Assert.EndsWith("\n9.", asked[0], StringComparison.Ordinal);
        // Both kinds are shown where the kind is asked, one of them where instances are.
        Assert.Contains("Tell whether the sentence is glad or sad\nIs it classification? Yes", asked[1], StringComparison.Ordinal);
        Assert.Contains("Is it classification? No", asked[1], StringComparison.Ordinal);
        Assert.Contains(asked, prompt => prompt.Contains("Class label: glad\nInput: I win", StringComparison.Ordinal));
        Assert.Contains(
            asked,
            prompt =>
                prompt.Contains("Example 1\nInput: in 3\nOutput: out 3", StringComparison.Ordinal)
                && !prompt.Contains("glad", StringComparison.Ordinal)
        );

        asked.Clear();
        Assert.Equal(2, run.Generated.Count);
        await run.StepAsync();
        Assert.Equal(6, Shown(asked[0]).Intersect(Seeds.Select(task => task.Instruction)).Count());
        Assert.Equal(2, Shown(asked[0]).Intersect(run.Generated.Take(2).Select(task => task.Instruction)).Count());

        static string[] Shown(string prompt) =>
            [.. prompt.Split('\n')[1..^1].Select(line => line[(line.IndexOf('.', StringComparison.Ordinal) + 2)..])];
    }

    [Fact]
    public async Task Run_IsAFunctionOfItsSeed_AndGoesOnWhereItStopped()
    {
        var whole = new SelfInstruct(Seeds, Source(Numbered), Small with { Tasks = 1000 });
        var reports = await Rounds(whole);
        Assert.Equal(6, reports.Count);
        var again = new SelfInstruct(Seeds, Source(Numbered), Small with { Tasks = 1000 });
        await again.StepAsync();
        await again.StepAsync();
        var rest = new SelfInstruct(Seeds, Source(Numbered), Small with { Tasks = 1000 }, [.. again.Generated], again.Rounds);
        var later = await Rounds(rest);
        Assert.Equal(whole.Generated.Select(task => task.Instruction), rest.Generated.Select(task => task.Instruction));
        Assert.Equal(reports[^1].Metrics(), later[^1].Metrics());
        var other = new SelfInstruct(Seeds, Source(Numbered), Small with { Seed = 5 });
        await other.StepAsync();
        Assert.NotEqual(
            again.Generated.Take(other.Generated.Count).Select(task => task.Instruction),
            other.Generated.Select(task => task.Instruction)
        );
    }

    [Theory]
    [InlineData("", 0)]
    [InlineData(" \n\n\t", 0)]
    [InlineData("9.\n10.\n11.", 0)]
    [InlineData("**\"`", 1)]
    public async Task Run_SourceThatSaysNothing_EndsAfterItsRounds(string text, int proposed)
    {
        var run = new SelfInstruct(Seeds, Source((_, _) => text), Small with { Rounds = 2, RequestsPerRound = 1 });
        var reports = await Rounds(run);
        Assert.Equal(2, reports.Count);
        Assert.All(reports, report => Assert.Equal((proposed, 0, Seeds.Length), (report.Proposed, report.Kept.Count, report.Pool)));
    }

    [Fact]
    public async Task Run_HostileTexts_AreCutAndCounted()
    {
        // A list without end, a text of 20 MB, and halves of surrogate pairs.
        string endless = string.Join('\n', Enumerable.Range(9, 5000).Select(i => $"{i}. Endless thing {Word(i)} of {Word(i + 1)}"));
        string[] texts =
        [
            endless,
            new('x', 20 << 20),
            "\ud800\ud800 broken pair of halves\n10. also \udc00 broken in the middle <|endoftext|>\u0000\u0007",
        ];
        var run = new SelfInstruct(
            Seeds,
            Source((_, seed) => texts[seed % 3]),
            Small with
            {
                MaxItems = 16,
                MaxSimilarity = 1,
                RequestsPerRound = 9,
            }
        );
        var report = await run.StepAsync();
        Assert.InRange(report.Proposed, 1, 9 * 16);
        Assert.All(run.Generated, task => Assert.InRange(task.Instruction.Length, 1, 100));
        Assert.All(run.Generated, task => Assert.DoesNotContain(task.Instruction, char.IsControl));
        using var folder = new TemporaryDirectory();
        string path = Path.Combine(folder.Path, "generated.jsonl");
        JsonLines.Write(path, run.Generated);
        Assert.Equal(
            run.Generated.Select(task => task.Instruction),
            JsonLines.Read<InstructionTask>(path).Select(task => task.Instruction)
        );
    }

    [Fact]
    public async Task Filters_CountEachReason()
    {
        const string List =
            "Hi\n10. Draw me a nice horse please\n11. Write a program that sorts numbers fast\n12. - dashes do not begin "
            + "instructions\n13. Élan is not an ASCII word\n"
            + "14. Seed task number 3 about ddd\n15. Find what nobody has found\n16. find what nobody has found!\n17. Name "
            + "two of the planets";
        var run = new SelfInstruct(
            Seeds,
            Source(
                (_, _) => List,
                prompt =>
                    prompt.Contains("planets", StringComparison.Ordinal)
                        ? "Input: a\nOutput:\nInput: b\nOutput: b\nInput: c\nOutput: the list:\nInput: d\nOutput: e\nInput: "
                            + "d\nOutput: e\nInput: f\nOutput: g"
                        : "no marks at all"
            ),
            Small with
            {
                RequestsPerRound = 1,
                MaxInstances = 1,
            }
        );
        var report = await run.StepAsync();
        Assert.Equal(9, report.Proposed);
        var expected = new Dictionary<SelfInstructRejection, int>
        {
            [SelfInstructRejection.TooShort] = 1,
            [SelfInstructRejection.Keyword] = 1,
            [SelfInstructRejection.Beginning] = 1,
            [SelfInstructRejection.NotText] = 2,
            [SelfInstructRejection.Similar] = 2,
            [SelfInstructRejection.NoInstances] = 1,
            [SelfInstructRejection.EmptyOutput] = 1,
            [SelfInstructRejection.Echo] = 1,
            [SelfInstructRejection.Unfinished] = 1,
            [SelfInstructRejection.Duplicate] = 1,
            [SelfInstructRejection.Surplus] = 1,
        };
        Assert.Equal(expected.OrderBy(pair => pair.Key), report.Rejections.OrderBy(pair => pair.Key));
        Assert.Equal("Name two of the planets", Assert.Single(run.Generated).Instruction);
        Assert.Equal([new InstructionInstance("d", "e")], run.Generated[0].Instances);

        var contradicting = new SelfInstruct(
            Seeds,
            Source((_, _) => List, _ => "Input: a\nOutput: b\nInput: a\nOutput: c\nOutput: free\nOutput: other"),
            Small with
            {
                RequestsPerRound = 1,
            }
        );
        report = await contradicting.StepAsync();
        Assert.Equal((8, 0), (report.Rejections[SelfInstructRejection.Contradiction], report.Kept.Count));
    }

    [Fact]
    public async Task Run_Cancelled_LeavesThePoolAsBeforeTheRound()
    {
        using var stop = new CancellationTokenSource();
        var calls = 0;
        var source = TextSource.Of(
            (prompts, request, token) =>
            {
                // In the middle of the second round.
                if (++calls == 5)
                    stop.Cancel();
                return Source(Numbered).CompleteAsync(prompts, request, token);
            }
        );
        var run = new SelfInstruct(Seeds, source, Small);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Rounds(run, stop.Token));
        Assert.Equal(1, run.Rounds);
        int before = run.Generated.Count;
        Assert.InRange(before, 1, 6);
        // It goes on from there.
        var report = await run.StepAsync();
        Assert.Equal((2, Seeds.Length + run.Generated.Count), (report.Round, report.Pool));

        var wrong = TextSource.Of((_, _, _) => Task.FromResult<IReadOnlyList<SourcedText>>([]));
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => new SelfInstruct(Seeds, wrong, Small).StepAsync());
        Assert.Contains("0 completions, expected 3", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Constructor_NamesWhatIsWrong()
    {
        var source = Source(Numbered);
        Assert.Throws<ArgumentException>(() => new SelfInstruct([], source));
        var error = Assert.Throws<ArgumentException>(() => new SelfInstruct([Seeds[0], new("no instance here at all", [])], source));
        Assert.Contains("seeds[1]", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => new SelfInstruct(Seeds, source, Small with { MaxSimilarity = 1.1 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => new SelfInstruct(Seeds, source, Small with { MaxWords = 3 }));
        Assert.Throws<ArgumentOutOfRangeException>(() =>
            new SelfInstruct(Seeds, source, Small with { InstanceRequest = new TextRequest { TopP = 0 } })
        );
    }

    [Fact]
    public void SeedTasks_AreReadFromTheirFile_AndBecomeDemonstrations()
    {
        using var folder = new TemporaryDirectory();
        string path = Path.Combine(folder.Path, "seeds.jsonl");
        File.WriteAllText(
            path,
            """
            {"id": "seed_task_1", "name": "antonym", "instruction": "What is the opposite?", "instances": [{"input": "Night", "output": "Day"}, {"input": "", "output": "None"}], "is_classification": true}
            """
        );
        var task = Assert.Single(JsonLines.Read<InstructionTask>(path));
        Assert.True(task.IsClassification);
        Assert.Equal(
            [new("What is the opposite?\n\nNight\n\n", "Day"), new Demonstration("What is the opposite?\n\n", "None")],
            task.Demonstrations()
        );
        Assert.Equal("What is the opposite?|Night", task.Demonstrations((instruction, input) => $"{instruction}|{input}").First().Prompt);
    }

    [Fact]
    public async Task ChatService_IsAskedWithTheRequest_AndTriedAgain()
    {
        var (calls, seen) = (0, new List<ChatOptions?>());
        using var client = new Client(
            (question, options) =>
            {
                lock (seen)
                    seen.Add(options);
                if (Interlocked.Increment(ref calls) == 1)
                    throw new HttpRequestException("busy");
                return new ChatResponse(new ChatMessage(ChatRole.Assistant, $"{question}! STOP and more"))
                {
                    FinishReason = question == "b" ? ChatFinishReason.Length : ChatFinishReason.Stop,
                };
            }
        );
        var source = TextSource.Of(
            client,
            new ChatSourceOptions
            {
                Retry = new RetryOptions { Attempts = 2, Delay = TimeSpan.Zero },
                Parallelism = 1,
                Chat = new ChatOptions { TopP = 0.25f },
            }
        );
        var request = new TextRequest
        {
            Temperature = 0.5,
            MaxTokens = 7,
            Seed = 3,
        };
        Assert.Equal(
            [new("a! STOP and more"), new SourcedText("b! STOP and more", Finished: false)],
            await source.CompleteAsync(["a", "b"], request)
        );
        Assert.Equal([new SourcedText("a! "), new("b! ")], await source.CompleteAsync(["a", "b"], request with { StopStrings = ["STOP"] }));
        Assert.Equal((0.5f, 0.25f, 7), (seen[0]!.Temperature, seen[0]!.TopP, seen[0]!.MaxOutputTokens));
        Assert.Equal(["STOP"], seen[^1]!.StopSequences!);
        Assert.Equal(5, calls);
        Assert.Equal(2, seen.Select(options => options!.Seed).Distinct().Count());
    }

    private sealed class Client(Func<string, ChatOptions?, ChatResponse> reply) : IChatClient
    {
        public Task<ChatResponse> GetResponseAsync(
            IEnumerable<ChatMessage> messages,
            ChatOptions? options = null,
            CancellationToken cancellationToken = default
        ) => Task.FromResult(reply(messages.Single().Text, options));

        public IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
            IEnumerable<ChatMessage> messages,
            ChatOptions? options = null,
            CancellationToken cancellationToken = default
        ) => throw new NotSupportedException();

        public object? GetService(Type serviceType, object? serviceKey = null) => null;

        public void Dispose() { }
    }
}
