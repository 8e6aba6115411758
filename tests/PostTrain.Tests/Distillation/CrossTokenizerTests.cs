using PostTrain.Data;
using PostTrain.Distillation;
using PostTrain.Models;
using PostTrain.Tests.Support;
using PostTrain.Tests.Text;
using PostTrain.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Distillation;

/// <summary>Distillation between vocabularies: alignment of real tokenizers, laws of the loss, the trainer. The loss's values are golden
/// (trlmore.json).</summary>
public sealed class CrossTokenizerTests
{
    private static readonly Demonstration[] Shown =
    [
        new("Hello", " world, it is 12 o'clock"),
        new("The answer", " is 3456."),
        new("Don't", " you know?"),
    ];

    // A group's text is the same in both, and the groups cover all tokens.
    [Fact]
    public void Groups_OfTwoTokenizers_StandForTheSameText()
    {
        var (one, other) = (GoldenTokenizers.Load("bpe-gpt2"), GoldenTokenizers.Load("bpe-qwen2"));
        int merged = 0;
        foreach (string text in Shown.Select(item => item.Completion.Text).Append("aaaaaaaaaaaaaaaaaa 12 3456 don't"))
        {
            var (left, right) = (one.EncodeWithOffsets(text, false), other.EncodeWithOffsets(text, false));
            var groups = TokenAlignment.Groups(left.Offsets, right.Offsets);
            Assert.Equal(left.Ids.Length, groups.Sum(group => group.StudentCount));
            Assert.Equal(right.Ids.Length, groups.Sum(group => group.TeacherCount));
            foreach (var group in groups)
            {
                Assert.Equal(left.Offsets[group.StudentStart].Start, right.Offsets[group.TeacherStart].Start);
                Assert.Equal(
                    left.Offsets[group.StudentStart + group.StudentCount - 1].End,
                    right.Offsets[group.TeacherStart + group.TeacherCount - 1].End
                );
                merged += group is { StudentCount: 1, TeacherCount: 1 } ? 0 : 1;
            }
        }
        Assert.True(merged > 0);
    }

    // Renamed tokens: the sorted probabilities are the same, the loss is 0; by name it is not.
    [Fact]
    public void Uld_DoesNotKnowNames_TheSharedPartDoes()
    {
        using var scope = NewDisposeScope();
        var logits = Numbers.Uniform(3, 2, 4, 5);
        var renamed = logits.flip(1);
        AnswerTokens[] answer = [new([0, 1, 2, 3])];
        Assert.Equal(0, CrossTokenizerLosses.Uld(logits, renamed, answer, answer).Loss.ToDouble(), 1e-12);
        var named = new CrossTokenizerObjective { Shared = [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4)] };
        Assert.True(CrossTokenizerLosses.Uld(logits, renamed, answer, answer, named).Loss.ToDouble() > 0.01);
        Assert.Equal(0, CrossTokenizerLosses.Uld(logits, logits, answer, answer, named).Loss.ToDouble(), 1e-9);
    }

    [Theory]
    [InlineData(TokenMerge.Observed)]
    [InlineData(TokenMerge.Bayesian)]
    public void Uld_GradientIsThatOfFiniteDifferences_AndPartsAddUp(TokenMerge merge)
    {
        using var scope = NewDisposeScope();
        AnswerTokens[] student = [new([1, 2, 0], [(0, 1), (1, 3), (3, 4)]), new([3], [(0, 2)])],
            teacher = [new([4, 0], [(0, 3), (3, 4)]), new([1, 2], [(0, 1), (1, 2)])];
        var other = Numbers.Uniform(4, 2, 4, 6);
        var options = new CrossTokenizerObjective { Merge = merge, Shared = [(1, 4), (0, 0)] };
        var at = Numbers.Uniform(5, 2, 4, 5);
        Tensor Loss(Tensor logits) => CrossTokenizerLosses.Uld(logits, other, student, teacher, options).Loss;
        GradientCheck.Run(inputs => Loss(inputs[0]), at);
        double first = CrossTokenizerLosses
                .Uld(at.narrow(0, 0, 3), other.narrow(0, 0, 2), student[..1], teacher[..1], options, denominator: 2)
                .Loss.ToDouble(),
            second = CrossTokenizerLosses
                .Uld(at.narrow(0, 3, 1), other.narrow(0, 2, 2), student[1..], teacher[1..], options, denominator: 2)
                .Loss.ToDouble();
        Assert.Equal(Loss(at).ToDouble(), first + second, 1e-12);
    }

    [Fact]
    public void Uld_RefusesWhatDoesNotFit()
    {
        using var scope = NewDisposeScope();
        var logits = Numbers.Uniform(3, 2, 4, 5);
        AnswerTokens[] answer = [new([0, 1, 2, 3])];
        Assert.Throws<ArgumentException>(() => CrossTokenizerLosses.Uld(logits, logits, answer, [new([0, 1, 2])]));
        Assert.Throws<ArgumentException>(() => CrossTokenizerLosses.Uld(logits, logits, answer, [new([0, 1, 2, 5])]));
        Assert.Throws<ArgumentException>(() => CrossTokenizerLosses.Uld(logits, logits, answer, [new([0, 1, 2, 3], [(0, 1)])]));
        Assert.Throws<ArgumentException>(() => TokenAlignment.Groups([(0, 2), (2, 1)], []));
        Assert.Throws<ArgumentException>(() =>
            CrossTokenizerLosses.Uld(logits, logits, answer, answer, new CrossTokenizerObjective { Shared = [(0, 0), (0, 1)] })
        );
    }

    // A student of another vocabulary comes nearer to its teacher, whatever the parts.
    [Theory]
    [InlineData(null)]
    [InlineData(1)]
    public void Trainer_DrawsTheStudentToATeacherOfAnotherVocabulary(int? part)
    {
        var (own, other) = (GoldenTokenizers.Load("bpe-gpt2"), GoldenTokenizers.Load("bpe-qwen2"));
        using var student = Model(own, 1);
        using var teacher = Model(other, 2);
        var before = Toy.Bytes(teacher);
        var pair = new CrossTokenizerTeacher(teacher, other);
        var shared = pair.SharedTokens(own);
        Assert.All(shared, ids => Assert.Equal(own.Decode([ids.Student]), other.Decode([ids.Teacher])));
        Assert.NotEmpty(shared);
        using var trainer = new CrossTokenizerTrainer(
            student,
            own,
            pair,
            new CrossTokenizerOptions
            {
                Steps = 30,
                BatchSize = 3,
                MicroBatchSize = part,
                LearningRate = 1e-2,
                Objective = new CrossTokenizerObjective { Shared = shared },
            }
        );
        var reports = trainer.Run(Shown).ToArray();
        Assert.True(reports[^1].Metrics["uld"] < reports[0].Metrics["uld"] * 0.9, $"{reports[^1]} after {reports[0]}");
        Assert.Equal(First.Value, reports[0].Loss, 1e-5);
        Assert.Equal(before, Toy.Bytes(teacher));
    }

    [Fact]
    public void Trainer_NeedsOffsetsToAlign()
    {
        using var model = Toy.Model();
        var teacher = new CrossTokenizerTeacher(model, Toy.Tokenizer);
        var error = Assert.Throws<ArgumentException>(() => new CrossTokenizerTrainer(model, Toy.Tokenizer, teacher, new()));
        Assert.Contains("gives no offsets", error.Message, StringComparison.Ordinal);
        using var trainer = new CrossTokenizerTrainer(
            model,
            Toy.Tokenizer,
            teacher,
            new()
            {
                Align = false,
                Steps = 1,
                BatchSize = 1,
            }
        );
        // Both are the same model: no distance.
        Assert.Equal(0, trainer.Run([new Demonstration("0=", "ab")]).Single().Loss, 1e-6);
    }

    // The first step's loss does not depend on the parts.
    private static Lazy<double> First { get; } =
        new(() =>
        {
            var (own, other) = (GoldenTokenizers.Load("bpe-gpt2"), GoldenTokenizers.Load("bpe-qwen2"));
            using var student = Model(own, 1);
            using var teacher = Model(other, 2);
            var pair = new CrossTokenizerTeacher(teacher, other);
            using var trainer = new CrossTokenizerTrainer(
                student,
                own,
                pair,
                new CrossTokenizerOptions
                {
                    Steps = 1,
                    BatchSize = 3,
                    MicroBatchSize = 2,
                    Objective = new CrossTokenizerObjective { Shared = pair.SharedTokens(own) },
                }
            );
            return trainer.Run(Shown).Single().Loss;
        });

    private static Decoder Model(ITokenizer tokenizer, ulong seed) =>
        Decoder.Create(
            new DecoderConfig
            {
                VocabularySize = tokenizer.VocabularySize,
                ContextLength = 64,
                HiddenSize = 16,
                Layers = 1,
                Heads = 2,
                FeedForwardSize = 32,
            },
            seed
        );
}
