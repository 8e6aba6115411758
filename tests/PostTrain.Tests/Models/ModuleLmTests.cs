using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Models;

public sealed class ModuleLmTests
{
    private const int Vocabulary = 20;

    private static ModuleLm Model(int seed = 1) => new(new Recurrent(Vocabulary, seed), Vocabulary, 16);

    [Fact]
    public void Forward_IsTheModulesOwn()
    {
        using var scope = NewDisposeScope();
        using var module = new Recurrent(Vocabulary);
        using var model = Model();
        var ids = Numbers.Ids(1, Vocabulary, 2, 7);
        TensorAssert.Same(module.call(ids), model.call(ids));
        Assert.Equal(
            module.named_parameters().Select(parameter => "module." + parameter.name),
            model.named_parameters().Select(parameter => parameter.name)
        );
        Ownership.Check(() => [model.Hidden(ids)], ids);
    }

    [Fact]
    public void Padding_OnEitherSide_MovesNothing()
    {
        using var scope = NewDisposeScope();
        using var model = Model();
        var ids = Numbers.Ids(1, Vocabulary, 1, 5);
        var padding = zeros(1, 3, dtype: ScalarType.Int64);
        var alone = model.call(ids).squeeze(0);
        var rows = cat([cat([padding, ids], 1), cat([ids, padding], 1)], 0);
        var mask = cat([cat([padding, ones_like(ids)], 1), cat([ones_like(ids), padding], 1)], 0);
        var logits = model.Hidden(rows, mask);
        TensorAssert.Close(alone, logits[0].narrow(0, 3, 5), 1e-6);
        TensorAssert.Close(alone, logits[1].narrow(0, 0, 5), 1e-6);
        TensorAssert.Finite(logits);
        Ownership.Check(() => [model.Hidden(rows, mask)], rows, mask);
    }

    [Fact]
    public void PackedSequences_DoNotSeeEachOther()
    {
        using var scope = NewDisposeScope();
        using var model = Model();
        var (first, second) = (Numbers.Ids(1, Vocabulary, 1, 4), Numbers.Ids(2, Vocabulary, 1, 3));
        var row = cat([first, zeros(1, 1, dtype: ScalarType.Int64), second], 1);
        var segments = tensor(
            new long[,]
            {
                { 1, 1, 1, 1, 0, 2, 2, 2 },
            }
        );
        var logits = model.Hidden(cat([row, row], 0), cat([segments, segments.gt(0).to_type(ScalarType.Int64)], 0));
        TensorAssert.Close(model.call(first).squeeze(0), logits[0].narrow(0, 0, 4), 1e-6);
        TensorAssert.Close(model.call(second).squeeze(0), logits[0].narrow(0, 5, 3), 1e-6);
        // The second row holds the same tokens as one sequence.
        TensorAssert.Close(model.call(cat([first, second], 1)).squeeze(0).narrow(0, 4, 3), logits[1].narrow(0, 5, 3), 1e-6);
        Assert.Throws<ArgumentException>(() => model.Hidden(row, segments * 1_000_000_000));
    }

    [Fact]
    public void Generate_Greedily_IsTheModulesOwnArgmax_WithPromptsOfDifferentLengths()
    {
        using var scope = NewDisposeScope();
        using var module = new Recurrent(Vocabulary);
        using var model = Model();
        int[][] prompts =
        [
            [3, 7, 1],
            [5],
            [2, 2, 9, 4, 8],
        ];
        using var batch = Sampler.Generate(
            model,
            prompts,
            new SamplingOptions { Temperature = 0, MaxNewTokens = 6 },
            seed: 1,
            paddingId: 0
        );
        for (var row = 0; row < prompts.Length; row++)
        {
            var ids = prompts[row].Select(id => (long)id).ToList();
            for (var step = 0; step < 6; step++)
            {
                var logProbs = module.call(tensor(ids.ToArray()).unsqueeze(0))[0, ^1].log_softmax(-1);
                var next = logProbs.argmax().ToInt64();
                Assert.Equal((int)next, batch.Completions[row][step]);
                TensorAssert.Close([logProbs[next].ToDouble()], batch.LogProbs[row].narrow(0, step, 1), 1e-5);
                ids.Add(next);
            }
        }
    }

    [Fact]
    public void Cache_HoldsTheIds_AndFollowsItsRows()
    {
        using var scope = NewDisposeScope();
        using var model = Model();
        using var cache = model.NewCache(2, 8);
        var ids = Numbers.Ids(3, Vocabulary, 2, 6);
        model.Hidden(ids.narrow(1, 0, 4), cache: cache);
        cache.SelectRows(tensor(new long[] { 1 }));
        var next = model.Hidden(ids.narrow(0, 1, 1).narrow(1, 4, 2), cache: cache);
        Assert.Equal(6, cache.Length);
        TensorAssert.Close(model.call(ids)[1].narrow(0, 4, 2).unsqueeze(0), next, 1e-6);
        Assert.Throws<ArgumentException>(() => model.Hidden(Numbers.Ids(1, Vocabulary, 1, 3), cache: cache));
        Assert.Throws<ArgumentOutOfRangeException>(() => model.NewCache(1, 17));
    }

    [Fact]
    public void WhatItCannotDo_IsSaid()
    {
        using var scope = NewDisposeScope();
        using var model = Model();
        Assert.Contains(
            "has no embeddings",
            Assert.Throws<NotSupportedException>(() => model.Embed(zeros(1, 1, dtype: ScalarType.Int64))).Message,
            StringComparison.Ordinal
        );
        Assert.Throws<NotSupportedException>(() => model.HiddenFromEmbeddings(zeros(1, 1, 20)));
        Assert.Throws<NotSupportedException>(() => Pretrained.Save(model, "nowhere"));
        Assert.Contains(
            "holds 20, expected ids from 0 to 19",
            Assert.Throws<ArgumentException>(() => model.call(full([1, 2], 20L, dtype: ScalarType.Int64))).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "the limit is the context length, 16",
            Assert.Throws<ArgumentException>(() => model.call(zeros(1, 17, dtype: ScalarType.Int64))).Message,
            StringComparison.Ordinal
        );
        using var wrong = new ModuleLm(new Recurrent(Vocabulary), Vocabulary + 1, 16);
        Assert.Contains(
            "expected [1,2,21]",
            Assert.Throws<InvalidOperationException>(() => wrong.call(zeros(1, 2, dtype: ScalarType.Int64))).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void SftTrainer_TeachesAUsersModule()
    {
        using var model = Model();
        using var trainer = new SftTrainer(
            model,
            Toy.Tokenizer,
            new SftOptions
            {
                Steps = 60,
                BatchSize = 4,
                LearningRate = 0.02,
            }
        );
        Demonstration[] data = [new("1+1=", "2"), new("2+3=", "5"), new("4+4=", "8"), new("1+2=", "3")];
        var losses = trainer.Run(data).Select(report => report.Loss).ToArray();
        Assert.True(losses[^1] < 0.05 && losses[0] > 1, $"from {losses[0]} to {losses[^1]}");
    }

    [Fact]
    public async Task GrpoTrainer_RaisesTheRewardOfAUsersModule()
    {
        using var model = Model();
        var reward = Reward.Of("sevens", completion => completion.Text.Count(letter => letter == '7') / 4.0);
        using var trainer = new GrpoTrainer(
            model,
            Toy.Tokenizer,
            reward,
            new GrpoOptions
            {
                Steps = 40,
                BatchSize = 2,
                GroupSize = 8,
                LearningRate = 0.02,
                Sampling = new SamplingOptions { MaxNewTokens = 4 },
            }
        );
        var rewards = new List<double>();
        await foreach (var report in trainer.RunAsync([new Problem("1+1="), new Problem("23")]))
            rewards.Add(report.Metrics["reward/mean"]);
        Assert.True(rewards[0] < 0.3 && rewards.TakeLast(5).Average() > 0.7, $"from {rewards[0]} to {rewards.TakeLast(5).Average()}");
    }
}
