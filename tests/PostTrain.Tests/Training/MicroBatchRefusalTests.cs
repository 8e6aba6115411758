using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Policy;
using PostTrain.Policy.Losses;
using PostTrain.Preference;
using PostTrain.Preference.Losses;
using PostTrain.Preference.Online;
using PostTrain.Tests.Policy;
using PostTrain.Tests.Support;

namespace PostTrain.Tests.Training;

/// <summary>Losses that compare the sequences of a batch with each other are refused by name together with what would cut the
/// batch.</summary>
public sealed class MicroBatchRefusalTests
{
    public static TheoryData<string> Covariances => ["Clip-Cov", "KL-Cov"];

    private static PolicyObjective Objective(string name) =>
        PolicyObjectives.Grpo() with
        {
            Name = name,
            Surrogate = name == "KL-Cov" ? PolicySurrogate.KlCov() : PolicySurrogate.ClipCov(0.2),
        };

    [Theory]
    [MemberData(nameof(Covariances))]
    public void Covariances_OfPolicies(string name)
    {
        using var model = Toy.Model();
        var options = GrpoRuns.Small with { Objective = Objective(name) };
        void Refused(string option, GrpoOptions cut)
        {
            var error = Assert.Throws<ArgumentException>(() => new GrpoTrainer(model, Toy.Tokenizer, GrpoRuns.Even, cut));
            Assert.Equal(option, error.ParamName);
            Assert.Contains(
                $"the surrogate of {name} takes its covariances over a whole batch, which {option} cuts into parts",
                error.Message,
                StringComparison.Ordinal
            );
        }

        Refused("MicroBatchSize", options with { MicroBatchSize = 2 });
        Refused("DynamicSampling", options with { DynamicSampling = new DynamicSampling() });
        Refused("Replay", options with { Replay = new ReplayOptions() });
        using var whole = new GrpoTrainer(model, Toy.Tokenizer, GrpoRuns.Even, options);
        var ppo = new PpoOptions
        {
            Objective = Objective(name),
            Kl = KlControl.Fixed(0),
            MicroBatchSize = 2,
        };
        Assert.Equal(
            "MicroBatchSize",
            Assert
                .Throws<ArgumentException>(() =>
                    new PpoTrainer(model, Toy.Tokenizer, GrpoRuns.Even, ppo with { Critic = ValueHead.For(model) })
                )
                .ParamName
        );
        using var minibatches = new PpoTrainer(
            model,
            Toy.Tokenizer,
            GrpoRuns.Even,
            ppo with
            {
                MicroBatchSize = null,
                Minibatches = 2,
                Critic = ValueHead.For(model),
            }
        );
    }

    [Fact]
    public void Ranks_OfPairs()
    {
        using var model = Toy.Model();
        foreach (
            var loss in new[]
            {
                DpoLoss.Aot(),
                DpoLoss.AotUnpaired(0.1),
                DpoLoss.Weighted((1, MarginLoss.Sigmoid()), (0.5, DpoLoss.Weighted((1, DpoLoss.Aot())))),
            }
        )
        {
            var offline = new DpoOptions { Loss = loss, MicroBatchSize = 2 };
            var error = Assert.Throws<ArgumentException>(() => new DpoTrainer(model, Toy.Tokenizer, model, offline));
            Assert.Equal("MicroBatchSize", error.ParamName);
            Assert.Contains("compares the pairs of a whole batch", error.Message, StringComparison.Ordinal);
            var online = new OnlineDpoOptions
            {
                Objective = new DpoObjective { Loss = loss },
                MicroBatchSize = 2,
            };
            Assert.Equal(
                "MicroBatchSize",
                Assert
                    .Throws<ArgumentException>(() =>
                        new OnlineDpoTrainer(model, Toy.Tokenizer, GrpoRuns.Even, online with { Reference = ReferencePolicy.Of(model) })
                    )
                    .ParamName
            );
            using var whole = new DpoTrainer(model, Toy.Tokenizer, model, offline with { MicroBatchSize = null });
        }
    }
}
