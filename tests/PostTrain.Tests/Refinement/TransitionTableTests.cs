using PostTrain.Refinement;

namespace PostTrain.Tests.Refinement;

public sealed class TransitionTableTests
{
    [Fact]
    public void Of_CountsTheFourCells_ByHand()
    {
        var table = TransitionTable.Of([true, true, true, false, false, false, false], [true, true, false, true, false, false, false]);
        Assert.Equal(new TransitionTable(RightToRight: 2, RightToWrong: 1, WrongToRight: 1, WrongToWrong: 3), table);
        Assert.Equal((3, 7), (table.Before.Successes, table.Before.Trials));
        Assert.Equal((3, 7), (table.After.Successes, table.After.Trials));
        Assert.Equal((1, 4), (table.Repaired.Successes, table.Repaired.Trials));
        Assert.Equal((1, 3), (table.Spoiled.Successes, table.Spoiled.Trials));
        // a = 1/4, b = 1/3: p* = (1/4)/(7/12) = 3/7, where it stands already.
        Assert.Equal(3.0 / 7, table.Chain!.FixedPoint, 14);
    }

    [Fact]
    public void Intervals_AreWilsons()
    {
        // 20 of 100: (0.2 + z²/200 ± z·√(0.0016 + z²/40000)) / (1 + z²/100), z = 1.959964.
        var repaired = new TransitionTable(0, 0, 20, 80).Repaired.Interval();
        Assert.Equal(0.1334, repaired.Lower, 4);
        Assert.Equal(0.2888, repaired.Upper, 4);
    }

    [Fact]
    public void Chain_IsUnknown_WhereNobodyWasRightOrNobodyWrong()
    {
        Assert.Null(new TransitionTable(0, 0, 3, 4).Chain);
        Assert.Null(new TransitionTable(3, 4, 0, 0).Chain);
        Assert.NotNull(new TransitionTable(1, 0, 0, 1).Chain);
    }

    [Fact]
    public void Sum_AddsCells_AndLengthsMustAgree()
    {
        Assert.Equal(new TransitionTable(11, 22, 33, 44), TransitionTable.Sum([new(1, 2, 3, 4), new(10, 20, 30, 40)]));
        Assert.Contains(
            "after has 1 values, expected 2",
            Assert.Throws<ArgumentException>(() => TransitionTable.Of([true, false], [true])).Message,
            StringComparison.Ordinal
        );
    }
}
