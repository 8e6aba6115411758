using PostTrain.Data;
using PostTrain.Data.Batches;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using PostTrain.Text;

namespace PostTrain.Tests.Supervised;

public sealed class PretrainingTests
{
    [Fact]
    public void Pieces_PredictEveryTokenButTheFirstOnce()
    {
        int end = Toy.Tokenizer.EndOfSequenceId!.Value;
        int[] ids = [.. Toy.Tokenizer.Encode("0123456789"), end];
        foreach (int length in (int[])[2, 3, 4, 5, 10, 11, 12, 100])
        {
            var pieces = PretrainingText.Pieces(["0123456789"], Toy.Tokenizer, length);
            Assert.All(pieces, piece => Assert.InRange(piece.Ids.Length, 2, length));
            // Each piece reads the token before its own.
            Assert.Equal(ids[1..], pieces.SelectMany(piece => piece.Ids.Skip(1)));
            Assert.Equal(ids[0], pieces[0].Ids[0]);
            Assert.All(pieces.Zip(pieces.Skip(1)), pair => Assert.Equal(pair.First.Ids[^1], pair.Second.Ids[0]));
        }
        Assert.Equal(
            [
                [.. ids[..^1]],
            ],
            PretrainingText.Pieces(["0123456789"], Toy.Tokenizer, 12, false).Select(piece => piece.Ids)
        );
        Assert.Equal(2, PretrainingText.Pieces(["", "1", "12"], Toy.Tokenizer, 8).Count);
        Assert.Throws<ArgumentOutOfRangeException>(() => PretrainingText.Pieces(["1"], Toy.Tokenizer, 1));
    }

    [Fact]
    public void Loss_OfTheFirstStep_IsTheMeanOfAllTokens()
    {
        using var model = Toy.Model();
        var pieces = PretrainingText.Pieces(["1+2=3", "a"], Toy.Tokenizer, 16);
        double total = 0;
        int count = 0;
        foreach (var piece in pieces)
        {
            var logProbs = Toy.LogProbs(model, piece.Ids);
            for (int t = 1; t < piece.Ids.Length; t++, count++)
                total -= logProbs[t - 1][piece.Ids[t]];
        }
        Assert.Equal(6, count);
        foreach (bool packing in (bool[])[false, true])
        {
            using var fresh = Toy.Model();
            using var trainer = new PretrainingTrainer(
                fresh,
                Toy.Tokenizer,
                new SftOptions
                {
                    Steps = 1,
                    BatchSize = 2,
                    Packing = packing,
                }
            );
            Assert.Equal(total / count, trainer.Run(pieces).Single().Loss, 5);
        }
    }

    [Fact]
    public void Replay_IsAMixtureWithExactShares()
    {
        var domain = PretrainingText.Pieces(Enumerable.Range(0, 10).Select(i => $"a{i}"), Toy.Tokenizer, 8);
        var general = PretrainingText.Pieces(Enumerable.Range(0, 10).Select(i => $"b{i}"), Toy.Tokenizer, 8);
        var mixture = new Mixture<TokenExample>([domain, general], [0.75, 0.25], count: 40);
        Assert.Equal([30, 10], mixture.Counts);
        using var model = Toy.Model();
        using var trainer = new PretrainingTrainer(
            model,
            Toy.Tokenizer,
            new SftOptions
            {
                Steps = 30,
                BatchSize = 8,
                LearningRate = 1e-2,
            }
        );
        var losses = trainer.Run(mixture).Select(report => report.Loss).ToArray();
        Assert.True(losses[^1] < losses[0] / 2, $"{losses[0]} to {losses[^1]}");
        Assert.Throws<ArgumentException>(() => trainer.Run([new TokenExample(new int[40])]).Count());
    }
}
