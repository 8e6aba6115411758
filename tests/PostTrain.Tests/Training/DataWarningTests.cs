using PostTrain.Data;
using PostTrain.Data.Batches;
using PostTrain.Data.Records;
using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Policy;
using PostTrain.Preference;
using PostTrain.RewardModeling;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using PostTrain.Tests.Text;
using PostTrain.Text;
using PostTrain.Text.Chat;
using PostTrain.Training;
using PostTrain.Training.Diagnostics;

namespace PostTrain.Tests.Training;

/// <summary>What would spoil a training in silence is told with the first step, once, with its count, the first example and a
/// hint.</summary>
public sealed class DataWarningTests : IDisposable
{
    private static readonly TokenizerJson Tokenizer = GoldenTokenizers.Load("bpe-qwen2");
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public void JoinedBorders_AreTold_BySft_Preferences_Rewards_AndRollouts()
    {
        Demonstration[] shown = [new("fine:", " one"), new("open: ", "the one"), new("more: ", "the two")];
        PreferencePair[] pairs = [new("open: ", "the one", "the two"), new("fine:", " a", " b")];
        using var model = Model();
        using var sft = new SftTrainer(model, Tokenizer, new SftOptions { Steps = 2, BatchSize = 2 });
        var reports = sft.Run(shown).ToArray();
        var warning = Assert.Single(reports[0].Warnings);
        Assert.Equal(("joined-border", 2, DiagnosticLevel.Warning), (warning.Name, warning.Value, warning.Level));
        Assert.Contains("data[1]", warning.Message, StringComparison.Ordinal);
        Assert.Empty(reports[1].Warnings);
        Assert.Contains("warning joined-border", reports[0].ToString(), StringComparison.Ordinal);

        using var dpo = new OrpoTrainer(model, Tokenizer, new OrpoOptions { Steps = 1, BatchSize = 2 });
        Assert.Equal(["joined-border"], dpo.Run(pairs).Single().Warnings.Select(found => found.Name));
        using var head = SequenceClassifier.For(model);
        using var rewards = new RewardTrainer(head, Tokenizer, new RewardOptions { Steps = 1, BatchSize = 2 });
        Assert.Equal(["joined-border"], rewards.Run(pairs).Single().Warnings.Select(found => found.Name));
    }

    [Fact]
    public async Task OpenPrompts_AreTold_ByRollouts()
    {
        using var model = Model();
        using var trainer = new GrpoTrainer(
            model,
            Tokenizer,
            Reward.Of("length", completion => completion.Tokens.Length),
            new GrpoOptions
            {
                Steps = 1,
                BatchSize = 1,
                GroupSize = 2,
                Sampling = new SamplingOptions { MaxNewTokens = 2 },
            }
        );
        var reports = new List<StepReport>();
        await foreach (var report in trainer.RunAsync([new Problem("fine:"), new Problem("open: "), new Problem("open too: ")]))
            reports.Add(report);
        var warning = Assert.Single(reports[0].Warnings);
        Assert.Equal(("open-prompt", 2), (warning.Name, (int)warning.Value));
        Assert.Contains("problems[1], 'open: '", warning.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Demonstrations_BesidePpo_AreLookedAtToo()
    {
        using var model = Model();
        using var trainer = new PpoTrainer(
            model,
            Tokenizer,
            Reward.Of("length", completion => completion.Tokens.Length),
            new PpoOptions
            {
                Steps = 1,
                BatchSize = 2,
                Kl = KlControl.Fixed(0),
                Sampling = new SamplingOptions { MaxNewTokens = 3 },
                Ptx = new PtxOptions([new("open: ", "the one"), new("fine:", " one")]),
            }
        );
        var report = await trainer.StepAsync([new Problem("fine:"), new Problem("good:")]);
        var warning = Assert.Single(report.Warnings);
        Assert.Equal("joined-border", warning.Name);
        Assert.Contains("In Demonstrations: 1 of 2 examples", warning.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ExamplesWithNothingToLearn_AreLeftOut_AndCounted()
    {
        Demonstration[] data = [new("a=", "bc"), new("", MarkedText.Rendered("a=bc") with { Learnt = [] }), new("b=", "cd")];
        using var with = Toy.Model();
        using var without = Toy.Model();
        var options = new SftOptions { Steps = 3, BatchSize = 2 };
        using var one = new SftTrainer(with, Toy.Tokenizer, options);
        using var other = new SftTrainer(without, Toy.Tokenizer, options);
        var reports = one.Run(data).ToArray();
        _ = other.Run([data[0], data[2]]).ToArray();
        // As if they were not there.
        Assert.Equal(Toy.Bytes(without), Toy.Bytes(with));
        var warning = Assert.Single(reports[0].Warnings);
        Assert.Equal(("nothing-learnt", 1), (warning.Name, (int)warning.Value));
        Assert.Contains("1 of 3 examples", warning.Message, StringComparison.Ordinal);
        Assert.Contains("data[1]", warning.Message, StringComparison.Ordinal);
        var error = Assert.Throws<ArgumentException>(() => one.Run([data[1]]).ToArray());
        Assert.Contains("no example that can be learnt from", error.Message, StringComparison.Ordinal);
        Assert.Equal("data", error.ParamName);
    }

    [Fact]
    public void EndsThatAreNotLearnt_AreTold()
    {
        const string outside =
            "{% for m in messages %}<|im_start|>{{ m.role }}{{ '\\n' }}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}"
            + "{% endgeneration %}{% else %}{{ m.content }}{% endif %}<|im_end|>{{ '\\n' }}{% endfor %}";
        const string inside =
            "{% for m in messages %}<|im_start|>{{ m.role }}{{ '\\n' }}{% if m.role == 'assistant' %}{% generation %}{{ "
            + "m.content }}<|im_end|>"
            + "{% endgeneration %}{% else %}{{ m.content }}<|im_end|>{% endif %}{{ '\\n' }}{% endfor %}";
        string[] Warnings(string source)
        {
            var talk = InstructionTemplate
                .Chat(new ChatTemplate(source))
                .Conversation([new("user", "Hello"), new("assistant", "Hi there"), new("user", "Bye"), new("assistant", "See you")]);
            using var model = Model();
            using var trainer = new SftTrainer(model, Tokenizer, new SftOptions { Steps = 1, BatchSize = 1 });
            return [.. trainer.Run([talk]).Single().Warnings.Select(warning => warning.Name)];
        }
        Assert.Equal(["end-not-learnt"], Warnings(outside));
        Assert.Empty(Warnings(inside));
    }

    [Fact]
    public void Truncation_KeepsWhatFits_LeavesOutWhatIsLost_AndSaysBoth()
    {
        Demonstration[] data = [new("a=", "bc"), new("0123456789", "ab"), new("012345", "abcdef")];
        var limit = new SequenceTruncation { MaximumTokens = 8 };
        using var model = Toy.Model();
        using var trainer = new SftTrainer(
            model,
            Toy.Tokenizer,
            new SftOptions
            {
                Steps = 1,
                BatchSize = 2,
                Truncation = limit,
            }
        );
        var warnings = trainer.Run(data).Single().Warnings;
        Assert.Equal(["truncated-away", "truncated"], warnings.Select(warning => warning.Name));
        Assert.Equal([DiagnosticLevel.Warning, DiagnosticLevel.Note], warnings.Select(warning => warning.Level));
        // From the left the completion stays.
        using var left = new SftTrainer(
            model,
            Toy.Tokenizer,
            new SftOptions
            {
                Steps = 1,
                BatchSize = 3,
                Truncation = limit with { Side = TruncationSide.Left },
            }
        );
        Assert.Equal(["truncated"], left.Run(data).Single().Warnings.Select(warning => warning.Name));
        // Without truncation what does not fit is refused, as ever.
        using var strict = new SftTrainer(model, Toy.Tokenizer, new SftOptions { Steps = 1 });
        Assert.Contains(
            "data[0]",
            Assert.Throws<ArgumentException>(() => strict.Run([new("0123456789", "0123456789")]).ToArray()).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task Prompts_AreCutFromTheirBeginning()
    {
        using var model = Toy.Model();
        var seen = new List<int>();
        using var trainer = new GrpoTrainer(
            model,
            Toy.Tokenizer,
            Reward.Of("length", completion => completion.Tokens.Length),
            new GrpoOptions
            {
                Steps = 1,
                BatchSize = 1,
                GroupSize = 2,
                Truncation = new SequenceTruncation { MaximumTokens = 4, Side = TruncationSide.Left },
                Sampling = new SamplingOptions { MaxNewTokens = 12 },
            }
        );
        var report = await trainer.StepAsync([new Problem("0123456789abcdef+=")]);
        Assert.Equal(["truncated"], report.Warnings.Select(warning => warning.Name));
    }

    [Fact]
    public void SidesOfPairs_WithNothingLeft_TakeTheirPairWithThem()
    {
        PreferencePair[] data = [new("a=", "b", "c"), new("0123456789", "ab", "c"), new("b=", "c", "d")];
        using var with = Toy.Model();
        using var without = Toy.Model();
        var options = new OrpoOptions
        {
            Steps = 2,
            BatchSize = 2,
            Truncation = new SequenceTruncation { MaximumTokens = 8 },
        };
        using var one = new OrpoTrainer(with, Toy.Tokenizer, options);
        using var other = new OrpoTrainer(without, Toy.Tokenizer, options);
        Assert.Contains("truncated-away", one.Run(data).First().Warnings.Select(warning => warning.Name));
        _ = other.Run([data[0], data[2]]).ToArray();
        Assert.Equal(2, one.Run(data).Count() + 1);
        Assert.Equal(Toy.Bytes(without), Toy.Bytes(with));
    }

    [Fact]
    public void UnreadFields_ReachTheReport_AndTheLog()
    {
        var path = directory.Write("data.jsonl", """{"prompt":"a=","completion":"b","id":7,"systm":"x"}""");
        var data = RecordReader.Demonstrations(path, InstructionTemplate.Plain);
        using var model = Toy.Model();
        var told = new List<Warning>();
        var diagnostics = new TrainingDiagnostics(new Listener(told), rules: []);
        using (var log = MetricsLog.Open(directory.File("metrics.jsonl"), diagnostics: diagnostics))
        {
            using var trainer = new SftTrainer(
                model,
                Toy.Tokenizer,
                new SftOptions
                {
                    Steps = 2,
                    BatchSize = 1,
                    Observers = [log],
                }
            );
            _ = trainer.Run(data).ToArray();
        }
        var warning = Assert.Single(told);
        Assert.Equal(("unread-fields", DiagnosticLevel.Note), (warning.Name, warning.Level));
        Assert.Contains("id, systm", warning.Message, StringComparison.Ordinal);
        Assert.Equal([warning], MetricsLog.ReadWarnings(directory.File("metrics.jsonl")));
    }

    [Fact]
    public void ResumedRuns_DoNotTellAgain()
    {
        Demonstration[] data = [new("a=", "bc"), new("", MarkedText.Rendered("a") with { Learnt = [] })];
        using var model = Toy.Model();
        var options = new SftOptions { Steps = 2, BatchSize = 1 };
        using var trainer = new SftTrainer(model, Toy.Tokenizer, options);
        Assert.Single(trainer.Run(data).First().Warnings);
        string checkpoint = trainer.SaveCheckpoint(directory.Path);
        using var again = new SftTrainer(model, Toy.Tokenizer, options);
        again.Resume(checkpoint);
        Assert.Empty(again.Run(data).Single().Warnings);
    }

    [Fact]
    public void CompletionsThatNeverEnd_AreAWarning_ButNotThoseThatSometimesDo()
    {
        StepReport Report(long step, double finished) =>
            new(
                step,
                0.1,
                new Dictionary<string, double> { ["completion/finished"] = finished, ["completion/length"] = 64 },
                TimeSpan.Zero
            );
        var rules = new UnfinishedCompletions();
        Assert.Equal(
            ["unfinished-completions"],
            TrainingDiagnostics.Of([Report(1, 0), Report(2, 0), Report(3, 0)], [rules]).Select(warning => warning.Name)
        );
        Assert.Empty(TrainingDiagnostics.Of([Report(1, 0), Report(2, 0.1), Report(3, 0)], [rules]));
    }

    // As many ids as the tokenizer has.
    private static Decoder Model() =>
        Decoder.Create(
            new DecoderConfig
            {
                VocabularySize = Tokenizer.VocabularySize,
                ContextLength = 64,
                HiddenSize = 16,
                Layers = 1,
                Heads = 2,
                FeedForwardSize = 32,
            },
            1
        );

    private sealed class Listener(List<Warning> told) : IProgress<Warning>
    {
        public void Report(Warning value) => told.Add(value);
    }
}
