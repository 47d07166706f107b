# Prints which rules of SpamAssassin's local tests each message meets, and its score: a line of JSON per file. The rules are
# those that came with the package; no network, nothing learnt, nothing of the user's.
use strict;
use warnings;
use JSON::PP;
use Mail::SpamAssassin;

my $json = JSON::PP->new->utf8->canonical;
my $home = $ENV{HOME};
my $sa = Mail::SpamAssassin->new({
	local_tests_only => 1, dont_copy_prefs => 1, userprefs_filename => '/dev/null', userstate_dir => $home, home_dir_for_helpers => $home,
	post_config_text => "use_bayes 0\nuse_auto_whitelist 0\n",
});
for my $name (@ARGV) {
	open my $f, '<:raw', $name or die "$name: $!";
	my $msg = $sa->parse([<$f>]);
	my $status = $sa->check($msg);
	my @rules = map { { name => $_, score => $status->{conf}{scores}{$_} + 0 } } sort @{$status->{test_names_hit}};
	print $json->encode({file => $name, score => $status->get_score + 0, rules => \@rules}), "\n";
	$status->finish;
	$msg->finish;
}
