using PostTrain.Data;
using PostTrain.Refinement;
using PostTrain.Refinement.Restarts;
using PostTrain.Rewards;

namespace PostTrain.Tests.Refinement;

public sealed class RestartTests
{
    private static readonly Problem Question = new("1+1=", "2");
    private static readonly Completion Good = new(Question, "one\ntwo\n2", [1, 2], true),
        Bad = new(Question, "one\n3", [3], true),
        Empty = new(Question, " \n", [], true);

    [Fact]
    public void From_EveryPlace_ByHand()
    {
        var restarts = RestartAndExplore.From([Good, Bad, Empty], [1, 0, 0], new RestartOptions { PerRollout = 9 });
        Assert.Equal(
            ["one", "one\ntwo", "one\ntwo\n2", "one", "one\n3"],
            restarts.Select(restart => restart.Opening[..^"<|reflect|>".Length])
        );
        Assert.All(restarts, restart => Assert.Equal(new Problem("1+1=" + restart.Opening, "2"), restart.Problem));
        Assert.All(restarts, restart => Assert.Equal(Question, restart.Original));
        Assert.Equal([1, 1, 1, 0, 0], restarts.Select(restart => restart.EarlierReward));
        Assert.Equal(
            ["one\ntwo\n2?", "one\n3?"],
            RestartAndExplore
                .From(
                    [Good, Bad],
                    [1, 0],
                    new RestartOptions
                    {
                        PerRollout = 9,
                        MostBacktracked = 0,
                        Marker = "?",
                    }
                )
                .Select(restart => restart.Opening)
        );
        Assert.Equal(
            ["one\ntwo", "one\ntwo\n2"],
            RestartAndExplore
                .From(
                    [Good],
                    [1],
                    new RestartOptions
                    {
                        PerRollout = 9,
                        MostBacktracked = 1,
                        Marker = "",
                    }
                )
                .Select(restart => restart.Opening)
        );
    }

    [Fact]
    public void From_DrawsPlacesEvenly_FromRightAndWrongOnes()
    {
        var rollouts = Enumerable.Range(0, 3000).Select(i => i % 2 == 0 ? Good : new Completion(Question, "a\nb\nc", [], true)).ToArray();
        double[] rewards = [.. rollouts.Select((_, i) => i % 2 == 0 ? 1.0 : 0)];
        var restarts = RestartAndExplore.From(rollouts, rewards, new RestartOptions { Marker = "" });
        Assert.Equal(3000, restarts.Count);
        Assert.Equal(1500, restarts.Count(restart => restart.EarlierReward == 1));
        // Of 1500 a third each: within five standard deviations, 5·√(1500·2/9) = 91.
        foreach (var place in (string[])["one", "one\ntwo", "one\ntwo\n2", "a", "a\nb", "a\nb\nc"])
            Assert.InRange(restarts.Count(restart => restart.Opening == place), 500 - 91, 500 + 91);
        Assert.All(restarts.Zip(rollouts), pair => Assert.StartsWith(pair.First.Opening, pair.Second.Text, StringComparison.Ordinal));
        // The same seed, the same places; another, others.
        Assert.Equal(restarts, RestartAndExplore.From(rollouts, rewards, new RestartOptions { Marker = "" }));
        Assert.NotEqual(restarts, RestartAndExplore.From(rollouts, rewards, new RestartOptions { Marker = "", Seed = 1 }));
    }

    [Fact]
    public void From_RefusesWhatDoesNotFit()
    {
        Assert.Contains(
            "rewards has 1 values, expected 2",
            Assert.Throws<ArgumentException>(() => RestartAndExplore.From([Good, Bad], [1])).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "rewards[1] is NaN",
            Assert.Throws<ArgumentException>(() => RestartAndExplore.From([Good, Bad], [1, double.NaN])).Message,
            StringComparison.Ordinal
        );
        Assert.Throws<ArgumentOutOfRangeException>(() => RestartAndExplore.From([Good], [1], new RestartOptions { PerRollout = 0 }));
        Assert.Throws<ArgumentException>(() => RestartAndExplore.From([Good], [1], new RestartOptions { Separator = "" }));
    }

    [Theory]
    [InlineData(0, 1, 3)]
    [InlineData(1, 0, -2)]
    [InlineData(0, 0, 0)]
    [InlineData(1, 1, 1)]
    public async Task WithProgress_OfABinaryReward_IsScoresAndSatorisBonus(double before, double after, double score)
    {
        const double alpha = 2;
        var restart = new Restart(new Problem("1+1=|", "2"), Question, "", before);
        var reward = Reward.Of("right", completion => completion.Text == "2" ? 1 : 0);
        var scores = await reward
            .WithProgress([restart], alpha)
            .ScoreAsync([new Completion(restart.Problem, after == 1 ? "2" : "3", [], true)], RewardContext.None);
        Assert.Equal(score, scores.Values.Single());
        Assert.Equal(after + alpha * (after - before), scores.Values.Single());
        // Satori's reward is 1[right] − 1 with +b from wrong to right, −b from right to wrong: the same less 1.
        double satori =
            after
            - 1
            + (before, after) switch
            {
                (0, 1) => alpha,
                (1, 0) => -alpha,
                _ => 0,
            };
        Assert.Equal(satori, scores.Values.Single() - 1);
        Assert.Equal(alpha * (after - before), scores.Components["bonus"].Single());
        Assert.Equal(after, scores.Components["right"].Single());
    }

    [Fact]
    public async Task WithProgress_JudgesTheWholeAnswer_AndOtherProblemsAlone()
    {
        var seen = new List<Completion>();
        var reward = Reward.Of(
            "length",
            completion =>
            {
                seen.Add(completion);
                return completion.Text.Length;
            }
        );
        var restart = RestartAndExplore.From([Bad], [0], new RestartOptions { MostBacktracked = 0, Marker = "?" }).Single();
        var scores = await reward
            .WithProgress([restart], 0.5)
            .ScoreAsync([new Completion(restart.Problem, "2", [7], true), Good], RewardContext.None);
        Assert.Equal([new Completion(Question, "one\n3?2", seen[0].Tokens, true), Good], seen);
        Assert.Equal([7], (IEnumerable<int>)seen[0].Tokens);
        Assert.Equal([7 + 0.5 * 7, 9], (IEnumerable<double>)scores.Values);
        Assert.Equal([3.5, double.NaN], (IEnumerable<double>)scores.Components["bonus"]);
    }

    [Fact]
    public async Task WithProgress_OfAPrefixThatRightAndWrongOnesShare_TakesTheMean()
    {
        // "one" begins the right rollout and the wrong one: the mean bonus of both is that of the mean.
        var restarts = RestartAndExplore
            .From([Good, Bad], [1, 0], new RestartOptions { PerRollout = 9 })
            .Where(restart => restart.Opening == "one<|reflect|>")
            .ToArray();
        Assert.Equal(2, restarts.Length);
        var scores = await Reward
            .Of("one", _ => 1)
            .WithProgress(restarts, 2)
            .ScoreAsync([new Completion(restarts[0].Problem, "", [], true)], RewardContext.None);
        Assert.Equal(new[] { 1 + 2 * (1 - 1.0), 1 + 2 * (1 - 0.0) }.Average(), scores.Values.Single());
        Assert.Throws<ArgumentOutOfRangeException>(() => Reward.Of("one", _ => 1).WithProgress(restarts, -1));
    }
}
