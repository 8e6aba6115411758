using PostTrain.Text.Chat;
using PostTrain.Text.Chat.Jinja;

namespace PostTrain.Tests.Chat;

/// <summary>printf-style formatting; the values are CPython's.</summary>
public sealed class PrintfTests
{
    private static string Render(string template) => JinjaTemplate.Parse(template).Render(new Dictionary<string, object?>());

    [Theory]
    [InlineData("'%d apples' % 5", "5 apples")]
    [InlineData("'%5d|%-5d|%05d' % (3, 3, 3)", "    3|3    |00003")]
    [InlineData("'%+d % d' % (4, 4)", "+4  4")]
    [InlineData("'%.2f' % 3.14159", "3.14")]
    [InlineData("'%.0f %.0f %.1f' % (2.5, 3.5, 0.25)", "2 4 0.2")]
    [InlineData("'%r' % \"it's\"", "\"it's\"")]
    [InlineData("'%x %X %o %#x %x' % (255, 255, 8, 255, -255)", "ff FF 10 0xff -ff")]
    [InlineData("'%e' % 12345.678", "1.234568e+04")]
    [InlineData("'%g %g %g %g %G' % (0.0001, 0.00001, 123456789.0, 1e20, 1e-10)", "0.0001 1e-05 1.23457e+08 1e+20 1E-10")]
    [InlineData("'%#.3g' % 1.0", "1.00")]
    [InlineData("'%10.3s|' % 'abcdef'", "       abc|")]
    [InlineData("'%%%d' % 7", "%7")]
    [InlineData("'%(a)s-%(b)03d' % {'a': 'x', 'b': 5}", "x-005")]
    [InlineData("'%c%c' % (65, 'z')", "Az")]
    [InlineData("'%d %i %.3d' % (3.99, -3, 7)", "3 -3 007")]
    [InlineData("'%s %s' % (none, true)", "None True")]
    [InlineData("'%s' % [[1, 'a']]", "[[1, 'a']]")]
    [InlineData("'%*d|%-*s|' % (4, 7, 4, 'a')", "   7|a   |")]
    [InlineData("'%06.2f' % -1.5", "-01.50")]
    [InlineData("'%s and %s'|format('a', 2)", "a and 2")]
    [InlineData("'%(n)s'|format(n='x')", "x")]
    [InlineData("'%s' % 'a' ~ 'b'", "ab")]
    [InlineData("7 % 4", "3")]
    public void Format_IsPythons(string expression, string expected) => Assert.Equal(expected, Render($"{{{{ {expression} }}}}"));

    [Theory]
    [InlineData("'%d' % 'x'", "a real number is required, not str")]
    [InlineData("'%s %s' % 'x'", "not enough arguments")]
    [InlineData("'%s' % (1, 2)", "not all arguments converted")]
    [InlineData("'%(a)s' % 1", "requires a mapping")]
    [InlineData("'%' % 1", "incomplete format")]
    [InlineData("'%y' % 1", "unsupported format character 'y'")]
    [InlineData("'%x' % 1.5", "an integer is required, not float")]
    [InlineData("'%99999999d' % 1", "too big")]
    public void WrongFormats_AreRefused(string expression, string reason) =>
        Assert.Contains(
            reason,
            Assert.Throws<TemplateException>(() => Render($"{{{{ {expression} }}}}")).Message,
            StringComparison.Ordinal
        );
}
